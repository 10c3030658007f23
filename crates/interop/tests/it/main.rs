//! Beside what nobody here wrote, and on a full disk. Each test starts the built program; `.ci/run interop` installs what
//! they need and runs them all.

mod disk_full;
mod libraries;
mod prosody;
