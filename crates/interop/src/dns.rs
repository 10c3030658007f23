//! A name server for the few names of one test: SRV for servers, A for their addresses. RFC 1035, RFC 2782.

use anyhow::Result;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Answers until it is dropped.
pub struct NameServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl NameServer {
    /// Serves names of XMPP domains on any free port of a loopback address.
    pub async fn start(host: IpAddr, domains: BTreeMap<String, SocketAddr>) -> Result<NameServer> {
        let socket = UdpSocket::bind((host, 0)).await?;
        let address = socket.local_addr()?;
        let serve = async move {
            let mut bytes = [0; DATAGRAM_BYTES_MAX];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                if let Some(answer) = answer(&bytes[..length], &domains) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        };
        Ok(NameServer { address, serving: tokio::spawn(serve) })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The answer to one question; none to what is no question.
fn answer(query: &[u8], domains: &BTreeMap<String, SocketAddr>) -> Option<Vec<u8>> {
    let (name, kind, end) = question(query)?;
    let srv = name.strip_prefix("_xmpp-server._tcp.").and_then(|domain| domains.get_key_value(domain));
    let plain = domains.get(&name);
    let data = match (kind, plain, srv) {
        (A, Some(SocketAddr::V4(to)), _) => Some(to.ip().octets().to_vec()),
        (SRV, _, Some((domain, to))) => Some(service(domain, to.port())),
        _ => None,
    };
    let code = if plain.is_none() && srv.is_none() { NO_SUCH_NAME } else { 0 };
    let mut out = query.get(..2)?.to_vec();
    // An authoritative answer, recursion desired and available; one question, at most one record.
    out.extend([0x85, 0x80 | code, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    out.extend(query.get(HEADER_BYTES..end)?);
    if let Some(data) = data {
        // The name by reference to the question's, class IN, a second to live.
        out.extend([0xC0, HEADER_BYTES as u8, 0, kind as u8, 0, 1, 0, 0, 0, 1, 0, data.len() as u8]);
        out.extend(data);
    }
    Some(out)
}

/// Name, type and end of the one question.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let mut at = HEADER_BYTES;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    Some((labels.join("."), kind, at + 4))
}

/// Priority 0, weight 0, the port, and the domain itself as the target.
fn service(domain: &str, port: u16) -> Vec<u8> {
    let mut data = vec![0, 0, 0, 0];
    data.extend(port.to_be_bytes());
    for label in domain.split('.') {
        data.push(label.len() as u8);
        data.extend(label.as_bytes());
    }
    data.push(0);
    data
}

const A: u16 = 1;
const SRV: u16 = 33;
const NO_SUCH_NAME: u8 = 3;
const HEADER_BYTES: usize = 12;
/// More than any question here has.
const DATAGRAM_BYTES_MAX: usize = 1_232;
