//! Whom to write to about a service, XEP-0157: a form in what its domain says of itself (XEP-0128).

use super::form::{Field, Form};

/// Addresses as URIs, such as `mailto:abuse@shakespeare.lit`, by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names are XEP-0157's own, section 6.1
pub struct Contacts {
    pub abuse: Vec<String>,
    pub admin: Vec<String>,
    pub feedback: Vec<String>,
    pub sales: Vec<String>,
    pub security: Vec<String>,
    pub status: Vec<String>,
    pub support: Vec<String>,
}

impl Contacts {
    /// The form; `None` where there is nobody to write to.
    pub fn form(&self) -> Option<Form> {
        let all = [
            ("abuse-addresses", &self.abuse),
            ("admin-addresses", &self.admin),
            ("feedback-addresses", &self.feedback),
            ("sales-addresses", &self.sales),
            ("security-addresses", &self.security),
            ("status-addresses", &self.status),
            ("support-addresses", &self.support),
        ];
        let mut told = all.into_iter().filter(|(_, addresses)| !addresses.is_empty()).peekable();
        told.peek()?;
        let form = Form::new("result").with_type(SERVER_INFO);
        Some(told.fold(form, |form, (var, addresses)| form.field(Field::new("list-multi", var).values(addresses))))
    }
}

/// FORM_TYPE of what a server says of itself.
const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_what_there_is_is_told_and_nothing_else() {
        assert_eq!(Contacts::default().form(), None);
        let abuse = vec!["mailto:abuse@shakespeare.lit".to_owned(), "xmpp:abuse@shakespeare.lit".to_owned()];
        let form = Contacts { abuse, ..Contacts::default() }.form().expect("a form");
        assert_eq!(
            form.element().to_xml(),
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/network/serverinfo</value></field><field var='abuse-addresses' type='list-multi'>\
             <value>mailto:abuse@shakespeare.lit</value><value>xmpp:abuse@shakespeare.lit</value></field></x>"
        );
    }
}
