//! Imports and exports, from files as other servers write them.

mod broken;
mod ejabberd;
mod pie;
mod prosody;
mod round_trip;
mod world;
