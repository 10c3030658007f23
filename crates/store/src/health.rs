//! Whether what is given to the store can be kept.

use std::sync::{Mutex, PoisonError};

/// Red with the reason since a write failed; green since one succeeded.
#[derive(Debug, Default)]
pub(crate) struct Health {
    reason: Mutex<Option<String>>,
}

impl Health {
    /// A write succeeded.
    pub(crate) fn green(&self) {
        self.set(None);
    }

    /// A write failed.
    pub(crate) fn red(&self, reason: String) {
        self.set(Some(reason));
    }

    /// Whether the last write failed.
    pub(crate) fn is_red(&self) -> bool {
        self.read().is_err()
    }

    /// The reason while it is red.
    pub(crate) fn read(&self) -> Result<(), String> {
        match self.reason.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        }
    }

    fn set(&self, reason: Option<String>) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}
