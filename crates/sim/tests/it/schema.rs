//! What engines put on links in the runs of the simulator is as the schema in `docs/` has it.

use sim::scenario::run;
use std::collections::BTreeMap;

/// A stanza of each shape that a few runs show; the gate judges all runs.
#[test]
fn what_crosses_links_is_valid() {
    let mut shapes = BTreeMap::new();
    for seed in [0, 14, 110] {
        let outcome = run(seed);
        let ours = outcome.tape.on_links().filter(|stanza| schema::is_of_the_link(stanza));
        shapes.extend(ours.map(|stanza| (schema::shape(stanza), stanza.clone())));
    }
    let sample: Vec<_> = shapes.into_values().collect();
    assert!(sample.len() > 40, "the runs put something on the links: {}", sample.len());
    schema::assert_valid(&sample);
}
