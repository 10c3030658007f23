//! The examples of `docs/xep.md` are what crosses links and reaches clients when they are played; a damage in any of them shows.

use sim::document::{Captured, Example, captured, compare, examples, written};
use std::sync::OnceLock;
use xmpp::{Element, Node};

const DOCUMENT: &str = include_str!("../../../../docs/xep.md");

/// One run is enough.
fn run() -> &'static Captured {
    static RUN: OnceLock<Captured> = OnceLock::new();
    RUN.get_or_init(captured)
}

fn document() -> Vec<Example> {
    examples(DOCUMENT).unwrap()
}

#[test]
fn every_example_is_as_captured() {
    if let Err(difference) = compare(&document(), run()) {
        panic!("{difference}; if it is meant to be so: cargo run -p sim -- examples --write docs/xep.md");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let again = examples(&written(DOCUMENT, run())).unwrap();
    assert_eq!(compare(&again, run()), Ok(()));
    let stanzas = |all: &[Example]| all.iter().map(|example| example.stanzas.len()).collect::<Vec<_>>();
    assert_eq!(stanzas(&again), stanzas(&document()));
}

/// What goes by on a link is as the schema has it.
#[test]
fn examples_of_links_are_valid() {
    let stanzas = document().into_iter().flat_map(|example| example.stanzas);
    let on_links: Vec<Element> = stanzas.filter(schema::is_of_the_link).collect();
    assert!(on_links.len() > 30, "{}", on_links.len());
    schema::assert_valid(&on_links);
}

/// An attribute with another value or none, an element without one of its children, another text: each shows, but for the
/// names that servers make up where one stands alone.
#[test]
fn a_damage_in_any_example_shows() {
    let whole = document();
    let mut tried = 0;
    for (at, example) in whole.iter().enumerate() {
        for (index, stanza) in example.stanzas.iter().enumerate() {
            for damaged in damages(stanza) {
                let mut document = whole.clone();
                document[at].stanzas[index] = damaged.clone();
                assert!(compare(&document, run()).is_err(), "{}: nobody sees the damage in {damaged}", example.name);
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn an_example_that_is_missing_or_in_another_order_shows() {
    let whole = document();
    assert!(compare(&whole[1..], run()).is_err());
    let mut swapped = whole.clone();
    let snapshot = swapped.iter_mut().find(|example| example.name == "snapshot").unwrap();
    snapshot.stanzas.swap(1, 2);
    assert!(compare(&swapped, run()).is_err());
}

/// The element with one thing wrong, in all ways.
fn damages(element: &Element) -> Vec<Element> {
    let mut damages = Vec::new();
    for attr in element.attrs() {
        let prefix = if attr.ns.as_str() == "http://www.w3.org/XML/1998/namespace" { "xml:" } else { "" };
        let name = format!("{prefix}{}", attr.name);
        let mut without = element.clone();
        without.unset(&name);
        damages.push(without);
        if !MADE_UP.contains(&name.as_str()) {
            damages.push(element.clone().attr(&name, format!("{}x", attr.value)));
        }
    }
    let rebuilt = |change: &dyn Fn(usize, &Node) -> Option<Node>| {
        let mut out = element.clone();
        out.clear();
        for (index, node) in element.nodes().iter().enumerate() {
            match change(index, node) {
                Some(Node::Element(child)) => out.push(child),
                Some(Node::Text(text)) => out.push_text(text),
                None => {}
            }
        }
        out
    };
    for (at, node) in element.nodes().iter().enumerate() {
        match node {
            Node::Text(text) if text.trim().is_empty() => {}
            Node::Text(_) => {
                damages.push(rebuilt(&|index, node| {
                    Some(if index == at { Node::Text("else".into()) } else { node.clone() })
                }));
            }
            Node::Element(child) => {
                damages.push(rebuilt(&|index, node| (index != at).then(|| node.clone())));
                for damaged in self::damages(child) {
                    let other = Node::Element(damaged);
                    damages.push(rebuilt(&|index, node| Some(if index == at { other.clone() } else { node.clone() })));
                }
            }
        }
    }
    damages
}

/// Attributes that hold such names, or the time.
const MADE_UP: [&str; 12] =
    ["id", "stamp", "said", "epoch", "incarnation", "term", "archive", "key", "outbox", "name", "roster", "until"];
