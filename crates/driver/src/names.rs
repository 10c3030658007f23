//! A name server for the few names of one test: SRV for servers, A for their addresses. RFC 1035, RFC 2782.

use anyhow::Result;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An address.
    A(Ipv4Addr),
    /// RFC 2782: where a service is.
    Srv {
        /// Lower ones first.
        priority: u16,
        /// The share within a priority.
        weight: u16,
        /// Where it listens.
        port: u16,
        /// The host; `.` for a service that is decidedly not there.
        target: String,
    },
}

/// Names, and what is to be said of each.
pub type Zone = BTreeMap<String, Vec<Data>>;

/// Adds what a server of a domain needs to be found: SRV and A. The host's name is its address in digits, since ejabberd asks
/// name servers for services alone, and the system for hosts.
pub fn server(zone: &mut Zone, domain: &str, address: SocketAddr) {
    let target = address.ip().to_string();
    if let IpAddr::V4(ip) = address.ip() {
        for name in [domain, &target] {
            zone.entry(name.to_owned()).or_default().push(Data::A(ip));
        }
    }
    let srv = Data::Srv { priority: 0, weight: 0, port: address.port(), target };
    zone.entry(format!("_xmpp-server._tcp.{domain}")).or_default().push(srv);
}

/// Answers until it is dropped.
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    over: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Serves a zone on any free port of a loopback address.
    pub fn start(host: IpAddr, zone: Zone) -> Result<NameServer> {
        let socket = UdpSocket::bind((host, 0))?;
        let (address, over) = (socket.local_addr()?, Arc::new(AtomicBool::new(false)));
        let (seen, zone) = (over.clone(), Arc::new(Mutex::new(zone)));
        let known = zone.clone();
        let serve = move || {
            let mut bytes = [0; DATAGRAM_BYTES_MAX];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                if let Some(answer) = bytes.get(..length).and_then(|query| answer(query, &locked(&known))) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        };
        Ok(NameServer { address, zone, over, serving: Some(std::thread::spawn(serve)) })
    }

    /// Answers from another zone from now on.
    pub fn know(&self, zone: Zone) {
        *locked(&self.zone) = zone;
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It waits for a datagram: here is one.
        let woken = UdpSocket::bind((self.address.ip(), 0)).and_then(|socket| socket.send_to(&[0], self.address));
        if let (Ok(_), Some(serving)) = (woken, self.serving.take()) {
            let _ = serving.join();
        }
    }
}

fn locked(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to one question; none to what is no question.
fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (name, kind, end) = question(query)?;
    let known = zone.get(&name);
    let records: Vec<Vec<u8>> = known.into_iter().flatten().filter_map(|data| written(data, kind)).collect();
    let code = if known.is_none() { NO_SUCH_NAME } else { 0 };
    let mut out = query.get(..2)?.to_vec();
    // An authoritative answer, recursion desired and available; one question.
    out.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).ok()?, 0, 0, 0, 0]);
    out.extend(query.get(HEADER_BYTES..end)?);
    for record in records {
        // The name by reference to the question's, class IN, a second to live.
        let bytes = u8::try_from(record.len()).ok()?;
        out.extend([0xC0, HEADER_BYTES as u8, 0, kind as u8, 0, 1, 0, 0, 0, 1, 0, bytes]);
        out.extend(record);
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

/// A record as it is sent, when it is of the type that is asked for.
fn written(data: &Data, kind: u16) -> Option<Vec<u8>> {
    match data {
        Data::A(ip) if kind == A => Some(ip.octets().to_vec()),
        Data::Srv { priority, weight, port, target } if kind == SRV => {
            let mut out: Vec<u8> =
                [priority, weight, port].into_iter().flat_map(|number| number.to_be_bytes()).collect();
            for label in target.split('.').filter(|label| !label.is_empty()) {
                out.push(u8::try_from(label.len()).ok()?);
                out.extend(label.as_bytes());
            }
            out.push(0);
            Some(out)
        }
        _ => None,
    }
}

const A: u16 = 1;
const SRV: u16 = 33;
const NO_SUCH_NAME: u8 = 3;
const HEADER_BYTES: usize = 12;
/// More than any question here has.
const DATAGRAM_BYTES_MAX: usize = 1_232;
