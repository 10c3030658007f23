//! XEP-0282 as the primary speaks it; the wire forms are in `docs/wire.md`.
//!
//! A room owns [`Links`]: its replicas, from registration to withdrawal. [`crate::room`] calls into it at five places only:
//! [`Links::tell`] for every event, [`Links::enter`] and [`Links::leave`] for ENTER and LEAVE, `Room::via_for` when
//! somebody is admitted, `Room::turned_away` when somebody is not.

mod link;
mod seam;

pub(crate) use link::{Links, Up};
