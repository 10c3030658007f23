//! The two pages over a real socket.

use super::*;
use crate::control::LinkState;
use std::io::{Read as _, Write as _};
use std::sync::Mutex;

#[derive(Default)]
struct Server {
    faults: Mutex<Vec<String>>,
}

impl Source for Server {
    fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }
    fn figures(&self) -> Pin<Box<dyn Future<Output = Figures> + Send + '_>> {
        let traffic = Traffic { stanzas_in: 3, bytes_in: 1_234, ..Traffic::default() };
        let link = LinkFigures {
            domain: "channel.avalon.irc".into(),
            live: true,
            state: LinkState::Suspect,
            since: Some(1_700_000_000),
            rooms: 3,
            queued: 2,
            outbox: 5,
            lag_ms: Some(77),
            resumes: 1,
            refusals: 4,
            mismatches: 6,
            traffic,
        };
        let figures = Figures { sessions: 7, logins: 9, links: vec![link], ..Figures::default() };
        Box::pin(std::future::ready(figures))
    }
}

/// Fetches a path; the status line and the body.
fn get(server: &Arc<Server>, path: &str) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    let source: Arc<dyn Source> = Arc::<Server>::clone(server);
    runtime.spawn(serve(listener, Doors { source: Some(source), edge: None, tls: false }));
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn health_is_200_only_when_all_works() {
    let server = Arc::new(Server::default());
    assert_eq!(get(&server, "/health"), ("HTTP/1.1 200 OK".into(), r#"{"ok":true,"reasons":[]}"#.into()));
    server.faults.lock().unwrap().push("the store cannot write: disk full".into());
    let (status, body) = get(&server, "/health");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, r#"{"ok":false,"reasons":["the store cannot write: disk full"]}"#);
}

#[test]
fn metrics_are_prometheus_text() {
    let (status, body) = get(&Arc::default(), "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in [
        "# TYPE netjoin_sessions gauge",
        "netjoin_sessions 7",
        "netjoin_logins_total 9",
        "netjoin_link_live{domain=\"channel.avalon.irc\"} 1",
        "netjoin_link_state{domain=\"channel.avalon.irc\",state=\"suspect\"} 1",
        "netjoin_link_state{domain=\"channel.avalon.irc\",state=\"live\"} 0",
        "netjoin_link_rooms{domain=\"channel.avalon.irc\"} 3",
        "netjoin_link_outbox{domain=\"channel.avalon.irc\"} 5",
        "# HELP netjoin_link_lag_seconds Seconds since the replica or the rooms at the domain were heard of",
        "netjoin_link_lag_seconds{domain=\"channel.avalon.irc\"} 0.077",
        "# TYPE netjoin_link_state_timestamp_seconds gauge",
        "netjoin_link_state_timestamp_seconds{domain=\"channel.avalon.irc\"} 1700000000.0",
        "# TYPE netjoin_link_resumes counter",
        "netjoin_link_resumes_total{domain=\"channel.avalon.irc\"} 1",
        "netjoin_link_refusals_total{domain=\"channel.avalon.irc\"} 4",
        "netjoin_link_mismatches_total{domain=\"channel.avalon.irc\"} 6",
        "netjoin_link_queued{domain=\"channel.avalon.irc\"} 2",
        "netjoin_link_stanzas_in_total{domain=\"channel.avalon.irc\"} 3",
        "netjoin_link_bytes_in_total{domain=\"channel.avalon.irc\"} 1234",
    ] {
        assert!(body.lines().any(|found| found == line), "{line}\n{body}");
    }
    assert!(body.ends_with("# EOF\n"));
}

#[test]
fn there_is_nothing_else() {
    assert_eq!(get(&Arc::default(), "/").0, "HTTP/1.1 404 Not Found");
}
