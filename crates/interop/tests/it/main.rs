//! Beside what nobody here wrote, on a full disk, and by the transcripts, which a stock Prosody is put to as well. Each test starts the built program; `.ci/run interop` installs what
//! they need and runs them all.

mod attached;
mod disk_full;
mod federation;
mod kept;
mod libraries;
mod stock;
mod transcripts;
mod transcripts_prosody;
