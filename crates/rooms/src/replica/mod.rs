//! XEP-0282 as a site speaks it; the wire forms are in `docs/wire.md`.
