//! Our stream against one of our own, and against what others say (XEP-0220 2.1).

use super::*;
use crate::stream::s2s_in::{self, Incoming};
use std::sync::Arc;

fn pair() -> Pair {
    Pair { from: "capulet.example".into(), to: "montague.example".into() }
}

fn config(tls: TlsPolicy) -> Config {
    let secret = b"s3cr3tf0rd14lb4ck".to_vec();
    Config { pair: pair(), stanzas: true, tls, external: true, dialback: true, dialback_secret: secret }
}

/// Both ends and all that they put out, but for bytes.
struct Link {
    ours: Outgoing,
    theirs: Incoming,
    said: Vec<Output>,
    heard: Vec<s2s_in::Output>,
    certificate_is_good: bool,
}

impl Link {
    fn new(ours: Config, theirs: s2s_in::Config) -> Link {
        let (ours, theirs) = (Outgoing::new(ours), Incoming::new(Arc::new(theirs), false, [1; 32]));
        Link { ours, theirs, said: Vec::new(), heard: Vec::new(), certificate_is_good: false }
    }

    /// What happens until both are quiet; keys are judged as capulet.example's own server would.
    fn run(&mut self, first: Input<'_>) {
        let mut out = Vec::new();
        self.ours.handle(first, &mut out);
        while !out.is_empty() {
            for output in std::mem::take(&mut out) {
                match output {
                    Output::Write(bytes) => self.deliver(s2s_in::Input::Bytes(&bytes), &mut out),
                    Output::StartTls => self.ours.handle(Input::Secured, &mut out),
                    other => self.said.push(other),
                }
            }
        }
    }

    fn deliver(&mut self, input: s2s_in::Input<'_>, out: &mut Vec<Output>) {
        let mut answers = Vec::new();
        self.theirs.handle(input, &mut answers);
        for answer in answers {
            match answer {
                s2s_in::Output::Write(bytes) => self.ours.handle(Input::Bytes(&bytes), out),
                s2s_in::Output::StartTls => self.deliver(s2s_in::Input::Secured, out),
                s2s_in::Output::CheckCertificate(_) => {
                    self.deliver(s2s_in::Input::Certificate(self.certificate_is_good), out);
                }
                s2s_in::Output::Verify { pair, id, key } => {
                    let valid = dialback::key_is_ours(b"s3cr3tf0rd14lb4ck", &pair, &id, &key);
                    let verdict = if valid { Verdict::Valid } else { Verdict::Invalid };
                    self.deliver(s2s_in::Input::Verified(pair, verdict), out);
                }
                other => self.heard.push(other),
            }
        }
    }
}

fn montague(tls: TlsPolicy) -> s2s_in::Config {
    let config = s2s_in::Config::new(vec!["montague.example".into()], b"d14lb4ck43v3r".to_vec());
    s2s_in::Config { tls, ..config }
}

const CONNECTED: Input<'static> = Input::Connected { secured: false };

#[test]
fn dialback_with_and_without_tls() {
    for tls in [TlsPolicy::Off, TlsPolicy::Optional, TlsPolicy::Required] {
        let mut link = Link::new(config(tls), montague(tls));
        link.run(CONNECTED);
        assert_eq!(link.said, [Output::Ready], "{tls:?}");
        assert_eq!(link.heard, [s2s_in::Output::Authenticated(pair())], "{tls:?}");
    }
}

#[test]
fn external_where_the_certificate_is_good() {
    let theirs = s2s_in::Config { dialback: false, ..montague(TlsPolicy::Required) };
    let mut link = Link::new(config(TlsPolicy::Required), theirs.clone());
    link.certificate_is_good = true;
    link.run(CONNECTED);
    assert_eq!(link.said, [Output::Ready]);

    let mut link = Link::new(Config { dialback: false, ..config(TlsPolicy::Required) }, theirs);
    link.run(CONNECTED);
    assert_eq!(link.said, [Output::Closed(Some(Failure::NoWay))], "a bad certificate and no dialback");
}

#[test]
fn a_wrong_secret_is_found_out() {
    let ours = Config { dialback_secret: b"another".to_vec(), ..config(TlsPolicy::Off) };
    let mut link = Link::new(ours, montague(TlsPolicy::Off));
    link.run(CONNECTED);
    assert_eq!(link.said, [Output::Closed(Some(Failure::NotVerified(None)))]);
}

#[test]
fn tls_that_is_required_and_not_there() {
    let mut link = Link::new(config(TlsPolicy::Required), montague(TlsPolicy::Off));
    link.run(CONNECTED);
    assert_eq!(link.said, [Output::Closed(Some(Failure::NoTls))]);
}

#[test]
fn a_domain_that_is_not_there() {
    let theirs = s2s_in::Config { domains: vec!["verona.example".into()], ..montague(TlsPolicy::Off) };
    let mut link = Link::new(config(TlsPolicy::Off), theirs);
    link.run(CONNECTED);
    let [Output::Closed(Some(failure))] = link.said.as_slice() else { panic!("{:?}", link.said) };
    assert_eq!(failure.condition(), Condition::RemoteServerNotFound);
}

/// XEP-0220 2.1.2, on a stream of its own: asked before it stands, answered when it does.
#[test]
fn s2_1_2_keys_are_verified_without_authentication() {
    let asked = Pair { from: "montague.example".into(), to: "capulet.example".into() };
    let verify = |id: &str| {
        let key = dialback::key(b"d14lb4ck43v3r", &asked, "417GAF25");
        Input::Verify { pair: asked.clone(), id: id.to_owned(), key }
    };
    let told = |id: &str, verdict| Output::Verified { pair: asked.clone(), id: id.to_owned(), verdict };
    let mut link = Link::new(Config { stanzas: false, ..config(TlsPolicy::Off) }, montague(TlsPolicy::Off));
    link.run(verify("417GAF25"));
    link.run(CONNECTED);
    link.run(verify("another"));
    assert_eq!(link.said, [told("417GAF25", Verdict::Valid), told("another", Verdict::Invalid)]);
}

/// XEP-0220 3.1: what nobody asked is not believed.
#[test]
fn s3_1_answers_without_a_question_are_nothing() {
    let mut ours = Outgoing::new(config(TlsPolicy::Off));
    let mut out = Vec::new();
    ours.handle(CONNECTED, &mut out);
    let header = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                  xmlns:stream='http://etherx.jabber.org/streams' id='D60000229F' version='1.0'>\
                  <stream:features><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>";
    out.clear();
    ours.handle(Input::Bytes(header.as_bytes()), &mut out);
    let key = "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3";
    let sent = format!("<db:result from='capulet.example' to='montague.example'>{key}</db:result>");
    assert_eq!(out, [Output::Write(sent.into_bytes())], "XEP-0220 example 1");
    out.clear();
    for unasked in [
        "<db:verify from='montague.example' to='capulet.example' id='1' type='valid'/>",
        "<db:result from='verona.example' to='capulet.example' type='valid'/>",
        "<message from='a@montague.example' to='b@capulet.example'/>",
    ] {
        ours.handle(Input::Bytes(unasked.as_bytes()), &mut out);
        assert_eq!(out, []);
    }
    ours.handle(Input::Bytes(b"<db:result from='montague.example' to='capulet.example' type='valid'/>"), &mut out);
    assert_eq!(out, [Output::Ready]);
}

/// RFC 6120 4.7.5: a server that has never heard of 1.0.
#[test]
fn servers_without_features_are_told_the_key_at_once() {
    let mut ours = Outgoing::new(config(TlsPolicy::Optional));
    let mut out = Vec::new();
    ours.handle(CONNECTED, &mut out);
    let header = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                  xmlns:stream='http://etherx.jabber.org/streams' id='D60000229F'>";
    ours.handle(Input::Bytes(header.as_bytes()), &mut out);
    assert!(matches!(out.last(), Some(Output::Write(bytes)) if bytes.starts_with(b"<db:result ")));
}

#[test]
fn the_other_side_ends_the_stream() {
    let mut link = Link::new(config(TlsPolicy::Off), montague(TlsPolicy::Off));
    link.run(CONNECTED);
    let mut out = Vec::new();
    link.deliver(s2s_in::Input::Close(Some("system-shutdown".into())), &mut out);
    let closed = Output::Closed(Some(Failure::Stream("system-shutdown".into())));
    assert_eq!(out.last(), Some(&closed));
}

#[test]
fn requests_for_verification_are_bounded() {
    let mut ours = Outgoing::new(Config { stanzas: false, ..config(TlsPolicy::Off) });
    let mut out = Vec::new();
    for n in 0..=REQUESTS_MAX {
        assert_eq!(out, [], "{n}");
        ours.handle(Input::Verify { pair: pair(), id: n.to_string(), key: "key".into() }, &mut out);
    }
    let verdict = Verdict::Error(Condition::ResourceConstraint);
    assert_eq!(out, [Output::Verified { pair: pair(), id: REQUESTS_MAX.to_string(), verdict }]);
}
