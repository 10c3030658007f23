//! The accounts of two domains, joined as two servers are, played through RFC 6121's own scenes.

mod message;
mod presence;
mod subscription;
mod world;
