//! The properties see what is wrong: each mistake is found, by one of its shortest stories.

use model::check::hunt;
use model::flaws::Flaw;

#[test]
fn every_mistake_is_found() {
    for flaw in Flaw::ALL {
        let found = hunt(flaw, flaw.shows_in());
        let found = found.unwrap_or_else(|| panic!("{flaw:?} is not found in: {}", flaw.shows_in().name));
        println!("{flaw:?}: {}, in {} steps", found.property, found.story.len());
    }
}
