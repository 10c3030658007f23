//! A client's stream in the messages of a WebSocket, RFC 7395, from `<open/>` to `<close/>`.

use super::*;
use crate::stream::websocket::{self, GOODBYE};

const OPEN: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='im.example.com' version='1.0'/>";

/// As a client frames it; the mask is zero.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = websocket::text(text.as_bytes());
    let header = frame.len() - text.len();
    frame[1] |= 0x80;
    frame.splice(header..header, [0; 4]);
    frame
}

/// The messages that were sent, each without its frame.
fn messages(out: &[Output]) -> Vec<String> {
    let frames = out.iter().filter_map(|output| match output {
        Output::Write(frame) if frame == GOODBYE => Some("goodbye".to_owned()),
        Output::Write(frame) => {
            let header = match frame[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            Some(String::from_utf8(frame[header..].to_vec()).unwrap())
        }
        _ => None,
    });
    frames.collect()
}

struct Socket(Server);

impl Socket {
    fn new() -> Socket {
        let acceptor = Acceptor::websocket(Arc::new(config()), Channel::Tls { exporter: None }, [1; 32]);
        Socket(Server { acceptor, out: Vec::new() })
    }

    fn bytes(&mut self, bytes: &[u8]) -> Vec<String> {
        let before = self.0.out.len();
        self.0.handle(Input::Bytes(bytes));
        messages(&self.0.out[before..])
    }

    fn says(&mut self, text: &str) -> Vec<String> {
        self.bytes(&masked(text))
    }

    fn bound() -> Socket {
        let mut socket = Socket::new();
        socket.says(OPEN);
        socket.says(&plain("juliet", "r0m30"));
        socket.says(OPEN);
        socket.says(BIND);
        socket.0.out.clear();
        socket
    }
}

#[test]
fn a_client_logs_in_and_closes() {
    let mut socket = Socket::new();
    let opened = socket.says(OPEN);
    assert_eq!(opened.len(), 2, "a header and features, a message each: {opened:?}");
    assert!(opened[0].starts_with("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='"), "{}", opened[0]);
    assert!(opened[0].ends_with(" from='im.example.com' version='1.0' xml:lang='en'/>"), "{}", opened[0]);
    assert!(
        opened[1].starts_with("<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"),
        "{}",
        opened[1]
    );
    assert!(!opened[1].contains("starttls") && !opened[1].contains("-PLUS"), "{}", opened[1]);
    assert_eq!(socket.says(&plain("juliet", "r0m30")), ["<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"]);
    assert!(socket.says(OPEN)[1].contains("<bind "));
    let bound = socket.says(BIND);
    assert!(bound[0].starts_with("<iq xmlns='jabber:client' "), "{bound:?}");
    assert_eq!(
        socket.says("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"),
        ["<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "goodbye"]
    );
    assert_eq!(socket.0.error(), Some(""));
}

#[test]
fn each_message_has_one_element() {
    for wrong in ["<presence/><presence/>", "<presence/>x", "", " ", "<presence>", "</stream:stream>", "x"] {
        let mut socket = Socket::bound();
        let said = socket.says(wrong);
        assert!(socket.0.error().is_some(), "{wrong:?}: {said:?}");
        assert!(said[0].starts_with("<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"), "{said:?}");
        assert_eq!(said[1..], ["<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", "goodbye"]);
    }
    let mut socket = Socket::bound();
    socket.says(" <message xmlns='jabber:client' to='a@b.example'/> ");
    assert!(matches!(socket.0.out.as_slice(), [Output::Stanza(_)]));
}

/// RFC 6120 8.1.5 with RFC 7395 3.3.3: `<open/>` has the stream's language.
#[test]
fn a_stanza_takes_the_language_of_its_stream() {
    let mut socket = Socket::new();
    socket.says(OPEN);
    socket.says(&plain("juliet", "r0m30"));
    socket.says(&OPEN.replace("version=", "xml:lang='de' version="));
    socket.says(BIND);
    socket.0.out.clear();
    socket.says("<message xmlns='jabber:client' to='a@b.example'/>");
    let [Output::Stanza(stanza)] = socket.0.out.as_slice() else { panic!("{:?}", socket.0.out) };
    assert_eq!(stanza.get("xml:lang"), Some("de"));
}

#[test]
fn a_message_comes_in_pieces() {
    let mut socket = Socket::bound();
    let whole = masked("<message to='a@b.example'><body>hi</body></message>");
    for byte in &whole {
        socket.bytes(&[*byte]);
    }
    assert!(matches!(socket.0.out.as_slice(), [Output::Stanza(_)]));
    // A ping within a message is answered at once.
    let mut socket = Socket::bound();
    let (mut first, mut last) = (masked("<message to='a@b"), masked(".example'/>"));
    (first[0], last[0]) = (0x01, 0x80);
    socket.bytes(&first);
    socket.bytes(&[0x89, 0x81, 0, 0, 0, 0, b'?']);
    assert_eq!(socket.0.out, [Output::Write(vec![0x8a, 1, b'?'])]);
    socket.bytes(&last);
    assert!(matches!(socket.0.out.last(), Some(Output::Stanza(_))));
}

/// RFC 6120 13.12: limits hold while a message comes, whatever length its frame announces.
#[test]
fn limits_hold_within_a_message() {
    let mut socket = Socket::new();
    let mut endless = masked(&"<a>".repeat(30_000));
    endless.truncate(20_000);
    socket.bytes(&endless);
    assert_eq!(socket.0.error(), Some("policy-violation"));
    let mut huge = vec![0x81, 0xff];
    huge.extend([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    huge.extend(vec![b' '; 20_000]);
    let mut socket = Socket::new();
    socket.bytes(&huge);
    assert_eq!(socket.0.error(), None, "white space is nothing, and nothing is kept of it");
}

#[test]
fn a_stream_is_opened_once() {
    let mut socket = Socket::bound();
    socket.says(OPEN);
    assert_eq!(socket.0.error(), Some("bad-format"));
    let mut socket = Socket::new();
    socket.says("<presence/>");
    assert_eq!(socket.0.error(), Some("not-authorized"));
    let mut socket = Socket::new();
    socket.says(&OPEN.replace("im.example.com", "verona.lit"));
    assert_eq!(socket.0.error(), Some("host-unknown"));
}

/// XEP-0198 7: a WebSocket that is closed is no stream that is closed.
#[test]
fn a_websocket_that_goes_is_a_connection_that_broke() {
    let mut socket = Socket::bound();
    let said = socket.bytes(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
    assert_eq!((said.as_slice(), socket.0.error()), (&["goodbye".to_owned()][..], Some("remote-connection-failed")));
}

#[test]
fn answers_of_stream_management_are_messages_too() {
    let mut socket = Socket::bound();
    socket.says("<enable xmlns='urn:xmpp:sm:3'/>");
    socket.says("<presence/>");
    assert_eq!(socket.says("<r xmlns='urn:xmpp:sm:3'/>"), ["<a xmlns='urn:xmpp:sm:3' h='1'/>"]);
}
