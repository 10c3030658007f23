//! One user with a client: logs in over TLS, sends what it is told, remembers all it is sent.

use crate::tls;
use anyhow::{Context, Result, anyhow, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use xmpp::sasl;
use xmpp::xml::{Limits, Parser, StreamEvent};
use xmpp::{Element, ns};

/// Who logs in where.
#[derive(Debug, Clone)]
pub struct Login {
    /// The server's listener.
    pub address: SocketAddr,
    /// The account's domain.
    pub domain: String,
    /// The account's localpart.
    pub local: String,
    /// Its password.
    pub password: String,
    /// The resource asked for.
    pub resource: String,
    /// How the connection is encrypted.
    pub tls: Tls,
}

/// How a connection is encrypted. Any certificate will do: who drives a test server knows whom it talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Off,
    /// By STARTTLS.
    Start,
    /// From the first byte, XEP-0368.
    Direct,
}

/// A logged-in client. Dropping it cuts the connection without a word.
pub struct Client {
    jid: String,
    writer: tokio::sync::Mutex<WriteHalf<Box<dyn Stream>>>,
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
    next_id: std::sync::atomic::AtomicU64,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    news: Notify,
}

#[derive(Default)]
struct Seen {
    stanzas: Vec<Element>,
    /// Why the stream ended, once it has.
    ended: Option<String>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Client {
    /// Connects, authenticates by the strongest mechanism offered, binds.
    pub async fn login(login: Login) -> Result<Client> {
        let negotiation = tokio::time::timeout(LOGIN_MAX, Negotiation::run(&login));
        let (negotiation, jid) = negotiation.await.context("the login took too long")??;
        let (reader, writer) = tokio::io::split(negotiation.stream);
        let shared = Arc::new(Shared::default());
        let reading = read_all(reader, negotiation.parser, negotiation.unread, shared.clone());
        Ok(Client {
            jid,
            writer: tokio::sync::Mutex::new(writer),
            shared,
            reader: tokio::spawn(reading),
            next_id: 0.into(),
        })
    }

    /// The full JID that was bound.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// Sends a stanza.
    pub async fn send(&self, stanza: &Element) -> Result<()> {
        self.send_raw(&stanza.to_xml()).await
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&self, text: &str) -> Result<()> {
        self.writer.lock().await.write_all(text.as_bytes()).await.context("the connection is gone")
    }

    /// Sends an iq request with an id of its own and waits for the answer.
    pub async fn ask(&self, iq: Element) -> Result<Element> {
        let number = self.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = format!("ask-{number}");
        self.send(&iq.attr("id", &id)).await?;
        let answers = |s: &Element| {
            s.name() == "iq" && s.get("id") == Some(&id) && matches!(s.get("type"), Some("result" | "error"))
        };
        self.wait_until(ANSWER_MAX, |seen| seen.iter().any(answers)).await?;
        self.seen(|seen| seen.iter().find(|s| answers(s)).cloned()).context("the answer was just seen")
    }

    /// Looks at all that was received so far, oldest first.
    pub fn seen<T>(&self, look: impl FnOnce(&[Element]) -> T) -> T {
        look(&self.shared.seen.lock().unwrap_or_else(|e| e.into_inner()).stanzas)
    }

    /// Waits until what was received is enough; an error when the time is over or the stream has ended before.
    pub async fn wait_until(&self, at_most: Duration, enough: impl Fn(&[Element]) -> bool) -> Result<()> {
        let waiting = async {
            loop {
                let news = self.shared.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                {
                    let seen = self.shared.seen.lock().unwrap_or_else(|e| e.into_inner());
                    if enough(&seen.stanzas) {
                        return Ok(());
                    }
                    if let Some(why) = &seen.ended {
                        bail!("{}: the stream ended: {why}", self.jid);
                    }
                }
                news.await;
            }
        };
        tokio::time::timeout(at_most, waiting).await.map_err(|_| anyhow!("{}: waited in vain", self.jid))?
    }

    /// Why the stream ended, once it has.
    pub fn ended(&self) -> Option<String> {
        self.shared.seen.lock().unwrap_or_else(|e| e.into_inner()).ended.clone()
    }

    /// Ends the stream in order and waits for the server to end it too, at most a second.
    pub async fn close(&self) {
        if self.send_raw("</stream:stream>").await.is_ok() {
            let _ = self.wait_until(CLOSE_MAX, |_| false).await;
        }
        self.reader.abort();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_all(mut from: ReadHalf<Box<dyn Stream>>, mut parser: Parser, unread: Vec<u8>, shared: Arc<Shared>) {
    let mut bytes = unread;
    let why = loop {
        let mut input = &bytes[..];
        let ended = loop {
            match parser.next(&mut input) {
                Ok(Some(StreamEvent::Stanza(error))) if error.is("error", ns::STREAMS) => break Some(error.to_xml()),
                Ok(Some(StreamEvent::Stanza(stanza))) => {
                    shared.seen.lock().unwrap_or_else(|e| e.into_inner()).stanzas.push(stanza);
                }
                Ok(Some(StreamEvent::Open(_))) => {}
                Ok(Some(StreamEvent::Close)) => break Some("closed by the server".into()),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        shared.news.notify_waiters();
        if let Some(why) = ended {
            break why;
        }
        bytes.resize(READ_BYTES, 0);
        match from.read(&mut bytes).await {
            Ok(0) => break "cut".into(),
            Ok(n) => bytes.truncate(n),
            Err(error) => break error.to_string(),
        }
    };
    shared.seen.lock().unwrap_or_else(|e| e.into_inner()).ended = Some(why);
    shared.news.notify_waiters();
}

/// A connection on its way to being a session.
struct Negotiation {
    stream: Box<dyn Stream>,
    parser: Parser,
    unread: Vec<u8>,
    /// The tls-exporter bytes, over TLS 1.3.
    exporter: Option<Vec<u8>>,
    encrypted: bool,
}

impl Negotiation {
    async fn run(login: &Login) -> Result<(Negotiation, String)> {
        let tcp = TcpStream::connect(login.address).await.with_context(|| format!("cannot reach {}", login.address))?;
        tcp.set_nodelay(true)?;
        let mut n = match login.tls {
            Tls::Direct => Negotiation::encrypted(tcp, &login.domain).await?,
            Tls::Off => Negotiation::on(Box::new(tcp)),
            Tls::Start => Negotiation::start_tls(tcp, login).await?,
        };
        let features = n.open(&login.domain).await?;
        n.authenticate(login, &features).await?;
        n.parser = Parser::new(Limits::AUTHENTICATED);
        n.unread.clear();
        n.open(&login.domain).await?;
        let jid = n.bind(&login.resource).await?;
        Ok((n, jid))
    }

    fn on(stream: Box<dyn Stream>) -> Negotiation {
        Negotiation {
            stream,
            parser: Parser::new(Limits::AUTHENTICATED),
            unread: Vec::new(),
            exporter: None,
            encrypted: false,
        }
    }

    async fn start_tls(mut tcp: TcpStream, login: &Login) -> Result<Negotiation> {
        let (reader, writer) = tcp.split();
        let mut clear = Clear { reader, writer, parser: Parser::new(Limits::AUTHENTICATED), unread: Vec::new() };
        let features = clear.open(&login.domain).await?;
        if !features.has_child("starttls", ns::TLS) {
            bail!("the server offers no STARTTLS: {features}");
        }
        clear.send(&Element::new("starttls", ns::TLS).to_xml()).await?;
        let answer = clear.next().await?;
        if !answer.is("proceed", ns::TLS) {
            bail!("the server refuses STARTTLS: {answer}");
        }
        Negotiation::encrypted(tcp, &login.domain).await
    }

    async fn encrypted(tcp: TcpStream, domain: &str) -> Result<Negotiation> {
        let name = ServerName::try_from(domain.to_owned()).context("no name for TLS")?;
        let tls = tokio_rustls::TlsConnector::from(Arc::new(tls::any_certificate()))
            .connect(name, tcp)
            .await
            .context("TLS")?;
        let exporter = channel_binding(tls.get_ref().1);
        Ok(Negotiation { exporter, encrypted: true, ..Negotiation::on(Box::new(tls)) })
    }

    async fn open(&mut self, domain: &str) -> Result<Element> {
        self.write(&header(domain)).await?;
        let features = self.next().await?;
        if !features.is("features", ns::STREAMS) {
            bail!("no features: {features}");
        }
        Ok(features)
    }

    async fn authenticate(&mut self, login: &Login, features: &Element) -> Result<()> {
        let offered: Vec<String> = features
            .get_child("mechanisms", ns::SASL)
            .map(|m| m.children().map(Element::content).collect())
            .unwrap_or_default();
        let names = || offered.iter().map(String::as_str);
        let who = sasl::Login { user: login.local.clone(), password: login.password.clone(), authzid: None };
        let exporter = self.exporter.as_deref();
        let mechanism = sasl::Client::choose(names(), &who, exporter, self.encrypted)
            .with_context(|| format!("offered: {offered:?}"))?;
        let plus = names().any(|n| n.ends_with("-PLUS"));
        let nonce = format!("{:x}{:p}", std::process::id(), &raw const *self);
        let mut client = sasl::Client::new(mechanism, who, exporter, plus, &nonce);
        let auth = Element::new("auth", ns::SASL).attr("mechanism", mechanism.name());
        self.write(&auth.text(encode(&client.initial())).to_xml()).await?;
        loop {
            let answer = self.next().await?;
            let data = BASE64_STANDARD.decode(answer.content().trim()).unwrap_or_default();
            match answer.name() {
                "challenge" => {
                    let response = Element::new("response", ns::SASL).text(encode(&client.challenge(&data)?));
                    self.write(&response.to_xml()).await?;
                }
                "success" => return Ok(client.success(&data)?),
                _ => bail!("not authenticated: {answer}"),
            }
        }
    }

    async fn bind(&mut self, resource: &str) -> Result<String> {
        let bind = Element::new("bind", ns::BIND).child(Element::new("resource", ns::BIND).text(resource));
        self.write(&Element::stanza("iq").attr("type", "set").attr("id", "bind").child(bind).to_xml()).await?;
        let answer = self.next().await?;
        let jid = answer.get_child("bind", ns::BIND).and_then(|b| b.get_child("jid", ns::BIND)).map(Element::content);
        jid.with_context(|| format!("not bound: {answer}"))
    }

    async fn write(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await.context("the connection is gone")
    }

    async fn next(&mut self) -> Result<Element> {
        next_stanza(&mut self.stream, &mut self.parser, &mut self.unread).await
    }
}

/// The stream before STARTTLS.
struct Clear<'a> {
    reader: tokio::net::tcp::ReadHalf<'a>,
    writer: tokio::net::tcp::WriteHalf<'a>,
    parser: Parser,
    unread: Vec<u8>,
}

impl Clear<'_> {
    async fn open(&mut self, domain: &str) -> Result<Element> {
        self.send(&header(domain)).await?;
        self.next().await
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.writer.write_all(text.as_bytes()).await?)
    }

    async fn next(&mut self) -> Result<Element> {
        next_stanza(&mut self.reader, &mut self.parser, &mut self.unread).await
    }
}

async fn next_stanza(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    parser: &mut Parser,
    unread: &mut Vec<u8>,
) -> Result<Element> {
    loop {
        let mut input = &unread[..];
        let event = parser.next(&mut input)?;
        let left = input.len();
        unread.drain(..unread.len() - left);
        match event {
            Some(StreamEvent::Stanza(error)) if error.is("error", ns::STREAMS) => bail!("stream error: {error}"),
            Some(StreamEvent::Stanza(stanza)) => return Ok(stanza),
            Some(StreamEvent::Open(_)) => continue,
            Some(StreamEvent::Close) => bail!("the server closed the stream"),
            None => {}
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await? {
            0 => bail!("the server cut the connection"),
            n => unread.extend_from_slice(&bytes[..n]),
        }
    }
}

fn header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{domain}' version='1.0'>",
        ns::CLIENT,
        ns::STREAMS
    )
}

fn encode(bytes: &[u8]) -> String {
    if bytes.is_empty() { "=".into() } else { BASE64_STANDARD.encode(bytes) }
}

fn channel_binding(tls: &rustls::ClientConnection) -> Option<Vec<u8>> {
    if tls.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    // RFC 9266 section 2: this label, no context, 32 bytes.
    tls.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", None).ok()
}

/// A login that takes longer has failed: a server that has just come up on a machine with other things to do takes its time.
const LOGIN_MAX: Duration = Duration::from_secs(30);
/// An iq that is not answered by then has failed.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long the server has to end its side of the stream.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
