//! The store over real files, one behaviour a file.

mod copy;
mod crash;
mod full;
mod same;
mod serve;
mod support;
mod versions;
