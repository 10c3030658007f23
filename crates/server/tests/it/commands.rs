//! The built program: what its commands print, and how they end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use server::control::{
    Answer, Handler, HeldAs, Link, LinkState, Occupant, Refusal, Replica, Request, Response, Room, RoomDetail, bind,
};
use tokio::sync::oneshot;

/// A directory with a configuration in it.
pub struct Site {
    pub dir: tempfile::TempDir,
}

impl Site {
    /// With this configuration.
    pub fn new(config: &str) -> Site {
        let site = Site { dir: tempfile::tempdir().unwrap() };
        std::fs::write(site.config(), config).unwrap();
        site
    }

    /// Of accounts at montague.lit, on loopback.
    pub fn montague() -> Site {
        Site::new("domain = \"montague.lit\"\n[http]\nlisten = []\n[replica]\njid = \"replica@montague.lit\"\n")
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("netjoin.toml")
    }

    /// Runs a command with `--config`.
    pub fn run(&self, words: &str) -> Ended {
        let config = self.config();
        let args = words.split_whitespace().chain(["--config", config.to_str().unwrap()]);
        Ended::of(netjoin(args).output().unwrap())
    }
}

/// The program with arguments.
pub fn netjoin<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netjoin"));
    command.args(args);
    command
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The one object that was printed.
    pub fn json(&self) -> Value {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

#[test]
fn check_says_what_would_be_listened_on() {
    let site = Site::new(
        "domain = \"montague.lit\"\n[c2s]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n[s2s]\nlisten = [\"[::1]:15269\"]\n\
         [rooms]\ndomain = \"rooms.montague.lit\"\n",
    );
    let ended = site.run("check");
    let shown = ended.out.replace(site.dir.path().to_str().unwrap(), "DIR");
    assert_eq!(
        shown,
        "WHAT         HOW\n\
         accounts     at montague.lit\n\
         rooms        at rooms.montague.lit\n\
         listens      127.0.0.1:0 for c2s (c2s.listen)\n\
         listens      [::1]:15269 for s2s (s2s.listen)\n\
         listens      127.0.0.1:5280 for http (http.listen)\n\
         certificate  DIR/data/certificate.pem for montague.lit, rooms.montague.lit, made at the first start\n\
         keeps        DIR/data\n"
    );
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let json = site.run("check --json").json();
    assert_eq!(json["listens"][0], json!({"what": "c2s", "key": "c2s.listen", "addr": "127.0.0.1:0"}));
    assert_eq!((&json["ok"], &json["problems"]), (&json!(true), &json!([])));
}

#[test]
fn check_names_file_line_key_and_remedy() {
    let site = Site::new("domain = \"montague.lit\"\n[c2s]\nlistne = []\n");
    let ended = site.run("check");
    let file = site.config();
    assert_eq!(ended.out, format!("{}:3: error: c2s.listne: is not known; did you mean listen?\n", file.display()));
    assert_eq!((ended.code, ended.err.as_str()), (3, ""));
    let json: Value = serde_json::from_str(&site.run("check --json").out).unwrap();
    assert_eq!(json["problems"][0]["line"], 3);
    assert_eq!((&json["ok"], &json["problems"][0]["key"]), (&json!(false), &json!("c2s.listne")));
}

#[test]
fn a_command_with_a_wrong_configuration_ends_with_3() {
    let site = Site::new("domain = 1\n");
    let ended = site.run("user list");
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert!(ended.err.contains("netjoin.toml:1: error: domain: is the number 1"), "{}", ended.err);
    let missing = Ended::of(netjoin(["check", "--config", "/nowhere/netjoin.toml"]).output().unwrap());
    assert!(missing.out.contains("there is no such file; `netjoin init"), "{}", missing.out);
}

#[test]
fn accounts_are_kept_while_no_server_runs() {
    let site = Site::montague();
    assert_eq!(site.run("user list").out, "");
    assert_eq!(site.run("user add romeo@montague.lit --password s3cret").code, 0);
    let made = site.run("user add Juliet@montague.lit --json").json();
    assert_eq!((made["account"].as_str(), made["password"].as_str().unwrap().len()), (Some("juliet@montague.lit"), 23));
    assert_eq!(site.run("user list").out, "juliet@montague.lit\nromeo@montague.lit\n");
    assert_eq!(site.run("user list --json").json(), json!({"users": ["juliet@montague.lit", "romeo@montague.lit"]}));
    assert_eq!(site.run("user passwd romeo@montague.lit --password 0ther").code, 0);
    assert_eq!(site.run("user del juliet@montague.lit").code, 0);
    assert_eq!(site.run("user list").out, "romeo@montague.lit\n");
}

#[test]
fn what_cannot_be_an_account_is_refused_with_a_code_of_its_own() {
    let site = Site::montague();
    assert_eq!(site.run("user add romeo@montague.lit --password s3cret").code, 0);
    let refused = |words: &str| {
        let ended = site.run(words);
        assert_eq!(ended.out, "");
        (ended.code, ended.err)
    };
    let again = refused("user add romeo@montague.lit --password s3cret");
    assert_eq!(again, (4, "netjoin: romeo@montague.lit: there is such an account already\n".into()));
    let absent = refused("user del paris@montague.lit");
    assert_eq!(absent, (4, "netjoin: paris@montague.lit: there is no such account\n".into()));
    assert_eq!(refused("user add replica@montague.lit --password s3cret").0, 2);
    let elsewhere = refused("user add romeo@capulet.lit --password s3cret");
    assert_eq!(
        elsewhere,
        (2, "netjoin: romeo@capulet.lit is no account here; write it like \"romeo@montague.lit\"\n".into())
    );
    assert_eq!(refused("user add a..@b@c --password s3cret").0, 2);
}

#[test]
fn a_password_comes_by_standard_input() {
    let site = Site::montague();
    let config = site.config();
    let add = |input: &[u8]| {
        let args = ["user", "add", "romeo@montague.lit", "--password-stdin", "--config", config.to_str().unwrap()];
        let mut child =
            netjoin(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::of(child.wait_with_output().unwrap())
    };
    assert_eq!(add(b"\n").code, 2);
    assert_eq!(add(b"s3cret\n"), Ended { code: 0, out: String::new(), err: String::new() });
    assert_eq!(site.run("user list").out, "romeo@montague.lit\n");
}

#[test]
fn the_store_is_copied_checked_and_measured() {
    let site = Site::montague();
    assert_eq!(site.run("user add romeo@montague.lit --password s3cret").code, 0);
    let copy = site.dir.path().join("copy.db");
    let backup = format!("store backup {} --json", copy.display());
    assert_eq!(site.run(&backup).json()["file"], json!(copy));
    assert_eq!(site.run(&backup).code, 4, "nothing is overwritten");
    assert_eq!(site.run("store verify --json").json()["ok"], json!(true));
    let verify =
        |path: &Path| Ended::of(netjoin(["store", "verify", "--file", path.to_str().unwrap()]).output().unwrap());
    assert_eq!(verify(&copy).out, "1 records, 0 messages in 0 archives\n");
    assert_eq!(site.run("store stats --json").json()["records"], 1);
    assert_eq!(verify(Path::new("/nowhere.db")).code, 4);
    std::fs::write(&copy, "something else").unwrap();
    assert_eq!(verify(&copy).code, 1);
}

#[test]
fn links_and_rooms_need_a_server_that_runs() {
    let site = Site::montague();
    for words in ["link list", "link cut eris.dclxvii.irc", "room list", "room show coven@chat.shakespeare.lit"] {
        let ended = site.run(words);
        assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{words}");
        assert!(ended.err.contains("start it with `netjoin serve`"), "{}", ended.err);
    }
}

/// Answers as a server with one link, one room and one account would.
struct Answers;

impl Handler for Answers {
    fn ask(&self, request: Request, answer: oneshot::Sender<Response>) {
        let room = || Room {
            room: "coven@chat.shakespeare.lit".into(),
            held_as: HeldAs::Primary,
            occupants: 3,
            local_occupants: 1,
            replicas: 1,
        };
        let response = match request {
            Request::LinkList => Ok(Answer::Links(vec![Link {
                domain: "shakespeare.lit".into(),
                state: LinkState::Live,
                stanzas_in: 12,
                bytes_in: 4_096,
                rooms: 1,
                lag_ms: Some(7),
                resumes: 2,
                ..Link::default()
            }])),
            Request::RoomList => Ok(Answer::Rooms(vec![room()])),
            Request::RoomShow { room: asked } if asked.as_str() == room().room => Ok(Answer::Room(RoomDetail {
                room: room(),
                seq: Some(812),
                occupants_list: vec![Occupant {
                    nick: "thirdwitch".into(),
                    jid: None,
                    affiliation: "member".into(),
                    role: "participant".into(),
                }],
                replicas_list: vec![Replica { jid: "replica@shakespeare.lit".into(), state: LinkState::Live }],
            })),
            Request::RoomShow { room } => Err(Refusal::not_found(format!("{room} is no room here"))),
            Request::LinkCut { domain } if domain == "shakespeare.lit" => Ok(Answer::Done),
            Request::UserList => Ok(Answer::Users(vec!["romeo@montague.lit".into()])),
            other => Err(Refusal::failed(format!("{other:?}"))),
        };
        // The command may have gone.
        let _ = answer.send(response);
    }
}

#[test]
fn a_server_that_runs_is_asked() {
    let site = Site::montague();
    // It makes the store, which a server that runs has.
    assert_eq!(site.run("user add romeo@montague.lit --password s3cret").code, 0);
    let data = site.dir.path().join("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = bind(&data.join("control.sock")).unwrap();
    runtime.spawn(server::control::serve(listener, Arc::new(Answers)));
    assert_eq!(
        site.run("link list").out,
        "SITE             STATE  SINCE  IN            OUT      WAITING  ROOMS  LAG   OUTBOX  RESUMES  REFUSALS  MISMATCHES\n\
         shakespeare.lit  live   -      12 (4.0 KiB)  0 (0 B)  0        1      7 ms  -       2        0         0\n"
    );
    assert_eq!(site.run("link list --json").json()["links"][0]["state"], "live");
    assert_eq!(site.run("link cut Shakespeare.lit"), Ended { code: 0, out: String::new(), err: String::new() });
    assert_eq!(
        site.run("room show coven@chat.shakespeare.lit").out,
        "ROOM                        HELD AS  OCCUPANTS  LOCAL  REPLICAS\n\
         coven@chat.shakespeare.lit  primary  3          1      1\n\
         \n\
         at event 812\n\
         \n\
         no messages\n\
         \n\
         REPLICA                  STATE\n\
         replica@shakespeare.lit  live\n\
         \n\
         NICK        ROLE         AFFILIATION  ADDRESS\n\
         thirdwitch  participant  member       -\n"
    );
    assert_eq!(site.run("room list --json").json()["rooms"][0]["held_as"], "primary");
    assert_eq!(site.run("room show nothing@chat.shakespeare.lit").code, 4);
    assert_eq!(site.run("user list").out, "romeo@montague.lit\n", "the server is asked, not the store");
}

#[test]
fn help_teaches_by_examples() {
    for command in ["init", "check", "user", "link", "room", "store"] {
        let ended = Ended::of(netjoin([command, "--help"]).output().unwrap());
        assert!(ended.code == 0 && ended.out.contains("Examples:") && ended.out.contains("netjoin "), "{command}");
    }
    assert_eq!(Ended::of(netjoin(["dance"]).output().unwrap()).code, 2);
}
