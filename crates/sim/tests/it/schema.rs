//! Everything that engines put on links in the runs of the simulator is as the schema in `docs/` has it.

#[path = "../../../rooms/tests/schema/mod.rs"]
mod judge;

use sim::scenario::run;
use xmpp::{Element, ns};

/// A sample: each kind of stanza a few times, and no stanza twice but for its marks.
#[test]
fn what_crosses_links_is_valid() {
    let mut sample: Vec<Element> = Vec::new();
    for seed in [0, 14, 110] {
        let outcome = run(seed);
        let ours = |stanza: &&Element| stanza.to_xml().contains(ns::DMUC) || stanza.to_xml().contains(ns::NETJOIN);
        // What a client forges is none of the engines'.
        let genuine = |stanza: &&Element| !stanza.to_xml().contains("forged");
        let crossings = outcome.tape.crossings.iter().map(|crossing| &crossing.stanza);
        sample.extend(crossings.filter(ours).filter(genuine).step_by(5).cloned());
    }
    assert!(sample.len() > 100, "the runs put something on the links");
    judge::assert_valid(&sample);
}
