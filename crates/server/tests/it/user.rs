//! A client over a real socket: the machine of `xmpp::stream::client`, or raw bytes.

use crate::site::Site;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use xmpp::sasl::Mechanism;
use xmpp::stream::client::{Channel, Config, Failure, Input, Output};
use xmpp::stream::{Client, StreamError, TlsPolicy};
use xmpp::{Element, Jid};

/// Longest wait for the server; only a failing test gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A socket, plain or TLS.
pub enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(socket) => socket.read(buffer),
            Socket::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(socket) => socket.write(bytes),
            Socket::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(socket) => socket.flush(),
            Socket::Tls(tls) => tls.flush(),
        }
    }
}

impl Socket {
    pub fn connect(site: &Site, what: &str) -> Socket {
        let socket = TcpStream::connect(site.address(what)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        if what.ends_with("-tls") { Socket::Plain(socket).secured(&site.domain) } else { Socket::Plain(socket) }
    }

    pub fn secured(self, domain: &str) -> Socket {
        let Socket::Plain(mut socket) = self else { panic!("TLS within TLS") };
        let name = ServerName::try_from(domain.to_owned()).unwrap();
        let mut tls = ClientConnection::new(Arc::new(driver::tls::any_certificate()), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).unwrap();
        }
        Socket::Tls(Box::new(StreamOwned::new(tls, socket)))
    }

    fn channel(&self) -> Option<Channel> {
        let Socket::Tls(tls) = self else { return None };
        let exporter = tls.conn.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        Some(Channel { exporter: Some(exporter) })
    }
}

/// One client.
pub struct User {
    pub jid: Option<Jid>,
    socket: Socket,
    machine: Client,
    seen: VecDeque<Element>,
    /// Stanzas taken since stream management began (XEP-0198 4).
    pub handled: u32,
    pub ended: Option<Option<Failure>>,
}

impl User {
    /// Logs in at a site without TLS, by the strongest mechanism.
    pub fn login(site: &Site, full: &str) -> User {
        User::connect(site, "c2s", full, |config| config.tls = TlsPolicy::Off).unwrap()
    }

    /// Logs in with a password that is the name, otherwise as `settle` says.
    pub fn connect(site: &Site, what: &str, full: &str, settle: impl FnOnce(&mut Config)) -> Result<User, Failure> {
        let jid = Jid::new(full).unwrap();
        let mut config = Config::new(&jid, jid.local().unwrap());
        config.plain_without_tls = true;
        if what.ends_with("-tls") {
            config.tls = TlsPolicy::Off;
        }
        settle(&mut config);
        let socket = Socket::connect(site, what);
        let channel = socket.channel();
        let mut user = User {
            jid: None,
            socket,
            machine: Client::new(config, [7; 32]),
            seen: VecDeque::new(),
            handled: 0,
            ended: None,
        };
        user.feed(Input::Connected(channel));
        while user.jid.is_none() && user.ended.is_none() {
            user.read();
        }
        match user.ended.take() {
            Some(why) => Err(why.expect("a stream that ends before login has a reason")),
            None => Ok(user),
        }
    }

    /// Logs in and is available.
    pub fn online(site: &Site, full: &str) -> User {
        let mut user = User::login(site, full);
        user.send("<presence/>");
        let echo = user.next();
        assert_eq!((echo.name(), echo.get("from")), ("presence", Some(full)));
        user
    }

    pub fn send(&mut self, xml: &str) {
        self.socket.write_all(xml.as_bytes()).unwrap();
        self.socket.flush().unwrap();
    }

    /// Sends what a server may refuse before it has all of it.
    pub fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).and_then(|()| self.socket.flush());
    }

    /// The next stanza.
    pub fn next(&mut self) -> Element {
        loop {
            if let Some(stanza) = self.seen.pop_front() {
                return stanza;
            }
            assert!(self.ended.is_none(), "the stream has ended: {:?}", self.ended);
            self.read();
        }
    }

    /// The next stanza of a name.
    pub fn next_of(&mut self, name: &str) -> Element {
        loop {
            let stanza = self.next();
            if stanza.name() == name {
                return stanza;
            }
        }
    }

    /// Sends a ping to the own account and takes all that comes before the answer.
    pub fn quiet(&mut self) -> Vec<Element> {
        self.send("<iq type='get' id='quiet'><ping xmlns='urn:xmpp:ping'/></iq>");
        let mut seen = Vec::new();
        loop {
            let stanza = self.next();
            if stanza.get("id") == Some("quiet") && stanza.name() == "iq" {
                return seen;
            }
            seen.push(stanza);
        }
    }

    /// What a stream management element of this name says, past all that comes before it.
    pub fn next_sm(&mut self, name: &str) -> Element {
        loop {
            let element = self.next();
            if element.is(name, xmpp::ns::SM) {
                return element;
            }
        }
    }

    /// Waits for the end of the stream: the error, if it was one.
    pub fn end(&mut self) -> Option<StreamError> {
        while self.ended.is_none() {
            self.read();
        }
        match self.ended.take().flatten() {
            Some(Failure::Stream(error)) => Some(error),
            _ => None,
        }
    }

    fn read(&mut self) {
        let mut buffer = vec![0; 65_536];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.ended = Some(None),
            Ok(n) => self.feed(Input::Bytes(&buffer[..n])),
            Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => {
                self.ended = Some(None);
            }
            Err(e) => panic!("{:?} waits in vain: {e}", self.jid),
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.machine.handle(input, &mut out);
        for output in out {
            match output {
                Output::Write(bytes) => self.socket.write_all(&bytes).and_then(|()| self.socket.flush()).unwrap_or(()),
                Output::StartTls => {
                    let Socket::Plain(socket) = &self.socket else { panic!("TLS within TLS") };
                    let socket = Socket::Plain(socket.try_clone().unwrap());
                    self.socket = socket.secured("montague.lit");
                    let channel = self.socket.channel().unwrap();
                    self.feed(Input::Secured(channel));
                }
                Output::Ready(jid) => self.jid = Some(jid),
                Output::Stanza(stanza) => {
                    self.handled += u32::from(stanza.ns() == xmpp::ns::CLIENT);
                    if stanza.is("enabled", xmpp::ns::SM) {
                        self.handled = 0;
                    }
                    self.seen.push_back(stanza);
                }
                Output::Closed(why) => self.ended = Some(why),
            }
        }
    }
}

/// A socket on which a test says what no client would.
pub struct Raw(pub Socket);

impl Raw {
    /// Connects and opens a stream.
    pub fn open(site: &Site, what: &str, content: &str) -> Raw {
        let mut raw = Raw(Socket::connect(site, what));
        raw.say(&header(content, &site.domain));
        raw
    }

    /// Sends; a server that has ended the stream already need not take it all.
    pub fn say(&mut self, text: &str) {
        let _ = self.0.write_all(text.as_bytes()).and_then(|()| self.0.flush());
    }

    /// Reads until the server has closed: all that came.
    pub fn rest(&mut self) -> String {
        let mut seen = Vec::new();
        match self.0.read_to_end(&mut seen) {
            Ok(_) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => {}
            Err(e) => panic!("the server does not close: {e}, after {:?}", String::from_utf8_lossy(&seen)),
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}

/// The opening of a stream to a domain.
pub fn header(content: &str, to: &str) -> String {
    format!("<stream:stream xmlns='{content}' xmlns:stream='http://etherx.jabber.org/streams' to='{to}' version='1.0'>")
}

/// Uses one mechanism.
pub fn with(mechanism: Mechanism) -> impl FnOnce(&mut Config) {
    move |config| config.mechanism = Some(mechanism)
}

/// Logs in by PLAIN, says this in place of binding, and reads until the server closes: all that came.
pub fn plain_session(site: &Site, user: &str, text: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let mut raw = Raw::open(site, "c2s", "jabber:client");
    let message = BASE64_STANDARD.encode(format!("\0{user}\0{user}"));
    raw.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>"));
    raw.say(&header("jabber:client", &site.domain));
    raw.say(text);
    raw.rest()
}
