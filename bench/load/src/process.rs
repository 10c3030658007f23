//! What a process has used, from /proc (proc_pid_schedstat(5), proc_pid_status(5)).

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::time::Duration;

/// User and system time of each thread of a process at one moment, in nanoseconds.
///
/// Per thread, since the sum over the process in /proc/PID/stat counts in hundredths of a second.
pub struct Cpu(BTreeMap<String, u64>);

impl Cpu {
    /// Reads it.
    pub fn of(pid: u32) -> Result<Cpu> {
        let mut threads = BTreeMap::new();
        for thread in read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
            let thread = thread?;
            // A thread may end between being listed and being read.
            let Ok(text) = read_to_string(thread.path().join("schedstat")) else { continue };
            let nanoseconds = text.split_whitespace().next().context("/proc has changed")?;
            threads.insert(thread.file_name().to_string_lossy().into_owned(), nanoseconds.parse()?);
        }
        Ok(Cpu(threads))
    }

    /// What all threads together have used since `earlier`.
    pub fn since(&self, earlier: &Cpu) -> Duration {
        let used = self.0.iter().map(|(thread, now)| now - earlier.0.get(thread).copied().unwrap_or(0).min(*now));
        Duration::from_nanos(used.sum())
    }
}

/// Resident bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc has changed")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
