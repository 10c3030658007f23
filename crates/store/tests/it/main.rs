//! The store over real files, one behaviour a file.

mod serve;
mod support;
