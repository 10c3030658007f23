//! Beside what nobody here wrote, on a full disk, and by the transcripts. Each test starts the built program; `.ci/run interop` installs what
//! they need and runs them all.

mod attached;
mod disk_full;
mod federation;
mod libraries;
mod stock;
mod transcripts;
