//! The parts of addresses, as they stand in stanzas: valid ones, short, and asked for some thousand times in a run.

/// An address without its resource.
pub(crate) fn bare(full: &str) -> &str {
    place(full, b'/').map_or(full, |at| &full[..at])
}

/// The resource: of an occupant the nickname.
pub(crate) fn resource(full: &str) -> Option<&str> {
    place(full, b'/').map(|at| &full[at + 1..])
}

/// The domain of an address.
pub(crate) fn domain(full: &str) -> &str {
    let bare = bare(full);
    place(bare, b'@').map_or(bare, |at| &bare[at + 1..])
}

fn place(text: &str, mark: u8) -> Option<usize> {
    text.bytes().position(|byte| byte == mark)
}
