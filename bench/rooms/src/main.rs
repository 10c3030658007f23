//! Counts instructions of the scenes under callgrind: `cargo run --release -p bench-rooms`.
//!
//! Counts repeat on a machine that others use too, times do not. The program runs itself once for each scene, and
//! counts what happens within [`measured`] alone.

use bench_rooms::{MESSAGE_BYTES, Presence, Reading, Scene, broadcast, message, write_copies};
use std::hint::black_box;
use std::process::{Command, ExitCode};
use xmpp::Element;
use xmpp::xml::Splice;

/// How often each scene is played; the count is the mean.
const TIMES: u64 = 20;

/// A scene by the name it is asked for, what it shows, and what one count is of.
struct Figure {
    name: String,
    about: String,
    /// How much is done in one time: 1, or a number of recipients.
    of: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => count_all(),
        [scene] => play(scene),
        _ => usage(),
    }
}

fn figures() -> Vec<Figure> {
    let mut figures = vec![figure("parse", format!("parse of a message of {MESSAGE_BYTES} bytes"), 1)];
    for n in [10, 1_000, 10_000] {
        figures.push(figure(format!("say-{n}"), format!("a message judged, archived and told to {n} occupants"), 1));
    }
    figures.push(figure("splice-1000", "its bytes for one occupant, of 1,000", 1_000));
    for (sites, each) in [(1, 1), (100, 1), (100, 10)] {
        let about = format!("a message judged, archived and told to {sites} replicas with {each} occupants each");
        figures.push(figure(format!("replicas-{sites}-{each}"), about, 1));
    }
    figures.push(figure("copies-100", "its bytes for one replica, of 100", 100));
    figures.push(figure("enter-1000", "an entry into a room of 1,000, for each presence shown", 1_000));
    figures
}

fn figure(name: impl Into<String>, about: impl Into<String>, of: u64) -> Figure {
    Figure { name: name.into(), about: about.into(), of }
}

fn count_all() -> ExitCode {
    println!("| instructions | of |\n|---:|---|");
    for Figure { name, about, of } in figures() {
        match count(&name) {
            Ok(instructions) => println!("| {:.0} | {about} |", instructions as f64 / (TIMES * of) as f64),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Plays a scene under callgrind and reads how many instructions it collected.
fn count(scene: &str) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured*"])
        .arg(program)
        .arg(scene)
        .output()
        .map_err(|e| format!("valgrind is needed: {e}"))?;
    let report = String::from_utf8_lossy(&run.stderr);
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    match collected.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if run.status.success() => Ok(count),
        _ => Err(report.into_owned()),
    }
}

fn play(scene: &str) -> ExitCode {
    let numbers: Vec<usize> = scene.split('-').skip(1).filter_map(|n| n.parse().ok()).collect();
    let kind = scene.split('-').next().unwrap_or_default();
    match (kind, numbers.as_slice()) {
        ("parse", []) => parse(),
        ("say", &[occupants]) => say(room_with(occupants)),
        ("splice", &[occupants]) => splice(occupants),
        ("replicas", &[sites, each]) => say(room_at(sites, each)),
        ("copies", &[sites]) => copies(sites),
        ("enter", &[occupants]) => enter(occupants),
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    let names: Vec<String> = figures().into_iter().map(|figure| figure.name).collect();
    eprintln!("bench-rooms [SCENE]; without one, counts all of: {}", names.join(" "));
    ExitCode::FAILURE
}

fn parse() {
    let message = message();
    let mut reading = Reading::begin();
    repeat(
        || (),
        |()| {
            black_box(reading.stanza(message.as_bytes())).expect("a stanza");
        },
    );
}

fn say(mut scene: Scene) {
    let message = Element::parse(&message()).expect("a message");
    repeat(
        || message.clone(),
        |message| {
            black_box(scene.say(message));
        },
    );
}

fn splice(occupants: usize) {
    let mut scene = room_with(2);
    let said = scene.say(Element::parse(&message()).expect("a message"));
    let shared = broadcast(&said).expect("a message is broadcast");
    let mut bytes = Vec::new();
    repeat(
        || (),
        |()| {
            for _ in 0..occupants {
                bytes.clear();
                shared.splice(Splice { to: "witch1@shakespeare.lit/broom", tail: b"" }, &mut bytes);
                black_box(&bytes);
            }
        },
    );
}

fn copies(sites: usize) {
    let mut scene = room_at(sites, 1);
    let said = scene.say(Element::parse(&message()).expect("a message"));
    let mut bytes = Vec::new();
    repeat(
        || (),
        |()| {
            assert_eq!(black_box(write_copies(&said, &mut bytes)), sites);
        },
    );
}

fn enter(occupants: usize) {
    let mut scene = Scene::room(Presence::Shown);
    scene.enter(1..occupants);
    let mut next = occupants;
    repeat(
        || (),
        |()| {
            black_box(scene.enter(next..next + 1));
            next += 1;
        },
    );
}

fn room_with(occupants: usize) -> Scene {
    let mut scene = Scene::room(Presence::Hidden);
    scene.enter(1..occupants);
    scene
}

fn room_at(sites: usize, occupants_each: usize) -> Scene {
    let mut scene = Scene::room(Presence::Hidden);
    for site in 0..sites {
        scene.replicate(site, occupants_each);
    }
    scene
}

/// Does it once to warm up, then [`TIMES`] times measured, each with something made ready outside.
fn repeat<T>(mut ready: impl FnMut() -> T, mut run: impl FnMut(T)) {
    run(ready());
    for _ in 0..TIMES {
        let mut thing = Some(ready());
        measured(&mut || thing.take().map_or((), &mut run));
    }
}

/// The function that callgrind collects in.
#[inline(never)]
fn measured(run: &mut dyn FnMut()) {
    run();
}
