//! The socket with a real server on one side and real clients on the other.

use super::*;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Keeps a list of cut domains.
#[derive(Default)]
struct Sites(std::sync::Mutex<Vec<String>>);

impl Handler for Sites {
    fn ask(&self, request: Request, answer: oneshot::Sender<Response>) {
        let mut cut = self.0.lock().unwrap();
        let response = match request {
            Request::LinkCut { domain } => {
                cut.push(domain);
                Ok(Answer::Done)
            }
            Request::LinkList => Ok(Answer::Links(
                cut.iter()
                    .map(|domain| Link { domain: domain.clone(), state: LinkState::Cut, ..Link::default() })
                    .collect(),
            )),
            Request::LinkHeal { domain } => Err(Refusal::not_found(format!("{domain} is not cut"))),
            // Dropping the answer is what an ending server does.
            _ => return,
        };
        let _ = answer.send(response);
    }
}

/// A server on a socket in a directory of its own, on a thread of its own, until it is dropped.
struct Served {
    path: PathBuf,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

fn served(within: &str) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join(within);
    std::fs::create_dir_all(&data).unwrap();
    let path = data.join("control.sock");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = bind(&path).unwrap();
    runtime.spawn(serve(listener, Arc::new(Sites::default())));
    Served { path, runtime, _dir: dir }
}

fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn requests_are_answered_in_order_on_one_connection() {
    let served = served("data");
    let mut client = Client::connect(&served.path).unwrap();
    let cut = Request::LinkCut { domain: "eris.dclxvii.irc".into() };
    assert_eq!(client.ask(&cut).unwrap(), Ok(Answer::Done));
    let Ok(Answer::Links(links)) = client.ask(&Request::LinkList).unwrap() else { panic!("links were asked for") };
    assert_eq!((links[0].domain.as_str(), links[0].state), ("eris.dclxvii.irc", LinkState::Cut));
    let heal = Request::LinkHeal { domain: "vesa.yeggmaex.irc".into() };
    assert_eq!(client.ask(&heal).unwrap(), Err(Refusal::not_found("vesa.yeggmaex.irc is not cut")));
}

#[test]
fn the_socket_is_private_and_takes_the_place_of_a_stale_one() {
    let served = served("data");
    let mode = std::fs::metadata(&served.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let path = served.path.clone();
    let Served { runtime, _dir, .. } = served;
    drop(runtime);
    assert!(matches!(Client::connect(&path), Err(ClientError::NotRunning)));
    assert!(path.exists(), "what a killed server leaves");
    let _listener = bind(&path).unwrap();
    assert!(Client::connect(&path).is_ok());
}

#[test]
fn a_path_too_long_for_a_socket_works_all_the_same() {
    let served = served(&"d".repeat(200));
    let mut client = Client::connect(&served.path).unwrap();
    assert_eq!(client.ask(&Request::LinkList).unwrap(), Ok(Answer::Links(vec![])));
}

#[test]
fn what_is_no_request_is_refused_and_the_connection_goes_on() {
    let served = served("data");
    let text = raw(&served.path, b"{\"command\":\"dance\"}\nhello\n{\"command\":\"link-list\"}\n");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(r#"{"refused":{"kind":"invalid","message":"no request that is known here"#), "{text}");
    assert!(lines[1].starts_with(r#"{"refused":{"kind":"invalid""#), "{text}");
    assert_eq!(lines[2], r#"{"ok":{"links":[]}}"#);
    let bad = raw(&served.path, b"{\"command\":\"user-delete\",\"account\":\"a b@c\"}\n");
    assert!(bad.contains("the part before '@'"), "{bad}");
}

#[test]
fn a_request_without_end_is_cut_off() {
    let served = served("data");
    let mut stream = UnixStream::connect(&served.path).unwrap();
    stream.write_all(&vec![b'x'; REQUEST_BYTES_MAX + 1]).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"refused\":{\"kind\":\"invalid\",\"message\":\"is longer than 16384 bytes\"}}\n");
}

#[test]
fn a_server_that_ends_says_so() {
    let served = served("data");
    let mut client = Client::connect(&served.path).unwrap();
    assert_eq!(client.ask(&Request::UserList).unwrap(), Err(Refusal::failed("the server is ending")));
}

#[test]
fn a_password_is_shown_nowhere() {
    let request = Request::UserAdd { account: Jid::new("a@b.lit").unwrap(), password: Password("secret".into()) };
    assert!(!format!("{request:?}").contains("secret"));
}
