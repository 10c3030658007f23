//! What the program's exit codes mean.

use std::process::ExitCode;

/// Done.
pub const OK: u8 = 0;
/// It could not be done; standard error says why.
pub const FAILED: u8 = 1;
/// The command line is wrong (clap's own code).
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIG: u8 = 3;
/// What was named is not there, or is there already.
pub const NOT_FOUND: u8 = 4;
/// It needs a server that runs, and none does.
pub const NOT_RUNNING: u8 = 5;

/// The part of `--help` on them.
pub const MANUAL: &str = "\
Exit codes:
  0  done
  1  could not be done; standard error says why
  2  the command line is wrong
  3  the configuration is wrong
  4  what was named is not there, or is there already
  5  it needs a server that runs with this configuration, and none does";

/// As the process reports it.
pub fn code(code: u8) -> ExitCode {
    ExitCode::from(code)
}
