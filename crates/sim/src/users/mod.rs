//! Scripted users.

