//! What a client can, told by a hash in its presence (XEP-0115): whoever has asked one such client has asked all of them.

use crate::{Element, ns};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::form::Form;

/// What presence says of a client, section 4.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caps {
    /// The software.
    pub node: String,
    /// The hash of what it can, or the version of what was said before there were hashes.
    pub ver: String,
    /// The hash function; `None` before there were hashes, or when it is not one that is known here.
    pub hash: Option<Hash>,
}

/// A hash function, section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the names say it
pub enum Hash {
    Sha1,
    Sha256,
}

impl Caps {
    /// Reads `<c/>` of a presence.
    pub fn of(presence: &Element) -> Option<Caps> {
        let c = presence.get_child("c", ns::CAPS)?;
        let hash = match c.get("hash") {
            Some("sha-1") => Some(Hash::Sha1),
            Some("sha-256") => Some(Hash::Sha256),
            _ => None,
        };
        Some(Caps { node: c.get("node")?.to_owned(), ver: c.get("ver")?.to_owned(), hash })
    }

    /// The node at which the client is asked what it can, section 6.2.
    pub fn query_node(&self) -> String {
        format!("{}#{}", self.node, self.ver)
    }

    /// Whether a disco#info answer is what the hash is of (5.4), so that it holds for everybody with the same.
    pub fn proves(&self, info: &Element) -> bool {
        self.hash.zip(verification(info)).is_some_and(|(hash, text)| {
            self.ver
                == match hash {
                    Hash::Sha1 => STANDARD.encode(Sha1::digest(&text)),
                    Hash::Sha256 => STANDARD.encode(Sha256::digest(&text)),
                }
        })
    }
}

/// 5.1: what is hashed; `None` for an answer that says something twice (5.4).
fn verification(info: &Element) -> Option<String> {
    let mut identities = Vec::new();
    let mut features = Vec::new();
    let mut forms = Vec::new();
    for child in info.children() {
        match (child.name(), child.ns()) {
            ("identity", ns::DISCO_INFO) => {
                let part = |name| child.get(name).unwrap_or_default();
                identities.push(format!(
                    "{}/{}/{}/{}<",
                    part("category"),
                    part("type"),
                    part("xml:lang"),
                    part("name")
                ));
            }
            ("feature", ns::DISCO_INFO) => features.push(format!("{}<", child.get("var")?)),
            ("x", ns::FORMS) => forms.extend(Form::parse(child).and_then(|form| extension(&form))),
            _ => {}
        }
    }
    let mut text = String::new();
    for mut list in [identities, features, forms] {
        list.sort();
        if list.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        text.extend(list);
    }
    Some(text)
}

/// What a form (XEP-0128) adds.
fn extension(form: &Form) -> Option<String> {
    let mut text = format!("{}<", form.form_type()?);
    let mut fields: Vec<_> = form.fields.iter().filter(|field| field.var != "FORM_TYPE").collect();
    fields.sort_by(|a, b| a.var.cmp(&b.var));
    for field in fields {
        let mut values = field.values.clone();
        values.sort();
        text.push_str(&format!("{}<", field.var));
        values.iter().for_each(|value| text.push_str(&format!("{value}<")));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXODUS: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
         <identity category='client' name='Exodus 0.9.1' type='pc'/><feature var='http://jabber.org/protocol/caps'/>\
         <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/disco#info'/>\
         <feature var='http://jabber.org/protocol/muc'/>";

    fn caps(hash: &str, ver: &str) -> Caps {
        let c = format!("<c xmlns='http://jabber.org/protocol/caps' {hash} node='http://exodus' ver='{ver}'/>");
        let presence = Element::parse(&format!("<presence>{c}</presence>")).expect("a presence");
        Caps::of(&presence).expect("it has them")
    }

    fn info(more: &str) -> Element {
        Element::parse(&format!("{EXODUS}{more}</query>")).expect("an answer")
    }

    #[test]
    fn s5_2_the_simple_example() {
        let caps = caps("hash='sha-1'", "QgayPKawpkPSDYmwT/WM94uAlu0=");
        assert!(caps.proves(&info("")));
        assert_eq!(caps.query_node(), "http://exodus#QgayPKawpkPSDYmwT/WM94uAlu0=");
        assert!(!caps.proves(&info("<feature var='urn:xmpp:avatar:metadata+notify'/>")));
    }

    #[test]
    fn s5_3_the_example_with_a_form_and_languages() {
        let info = Element::parse(
            "<query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
             <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
             <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
             <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
             <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
             <value>urn:xmpp:dataforms:softwareinfo</value></field><field var='ip_version' type='text-multi'>\
             <value>ipv4</value><value>ipv6</value></field><field var='os'><value>Mac</value></field>\
             <field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field>\
             <field var='software_version'><value>0.11</value></field></x></query>",
        );
        assert!(caps("hash='sha-1'", "q07IKJEyjvHSyhy//CH0CxmKi8w=").proves(&info.expect("an answer")));
    }

    /// 5.4: who says something twice, or has no hash, speaks for himself alone.
    #[test]
    fn s5_4_what_is_not_proved() {
        let ver = "QgayPKawpkPSDYmwT/WM94uAlu0=";
        assert!(!caps("hash='sha-1'", ver).proves(&info("<feature var='http://jabber.org/protocol/muc'/>")));
        assert!(!caps("", ver).proves(&info("")));
        assert!(!caps("hash='md2'", ver).proves(&info("")));
        assert!(!caps("hash='sha-256'", ver).proves(&info("")));
    }
}
