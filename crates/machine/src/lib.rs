//! The one shape every machine of netjoin has, and the whole contract between what decides and what carries out.
//!
//! A machine is fed [`Input`] and the time, and gives back [`Output`] in order; nothing else happens. The server
//! carries outputs out over sockets and a store; the simulator does over simulated ones.
//! [`gate`] holds back what must not be seen before it is durable; [`archive`] is how machines answer queries of their archives.

pub mod archive;
pub mod gate;
mod io;

pub use gate::Gate;
pub use io::{
    ArchivePage, ArchiveQuery, AudienceChange, AudienceId, Author, Between, Born, By, Change, Class, Input, Machine,
    Now, Output, QueryId, Record, Row, Token,
};
