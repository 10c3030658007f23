//! The accounts of two domains, joined as two servers are, played through RFC 6121's own scenes.

mod admin;
mod archive;
mod blocking;
mod carbons;
mod hostile;
mod iq;
mod manage;
mod message;
mod offline;
mod pep;
mod pep_notify;
mod presence;
mod private;
mod register;
mod roster;
mod roster_versions;
mod session;
mod subscription;
mod world;
