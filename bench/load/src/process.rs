//! What a process has used, from /proc (proc_pid_schedstat(5), proc_pid_status(5)).

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};
use std::time::Duration;

/// User and system time of each thread of a process at one moment, and the time it was ready but had to wait for a
/// processor; in nanoseconds.
///
/// Per thread, since the sum over the process in /proc/PID/stat counts in hundredths of a second.
pub struct Cpu(BTreeMap<String, [u64; 2]>);

impl Cpu {
    /// Reads it.
    pub fn of(pid: u32) -> Result<Cpu> {
        let mut threads = BTreeMap::new();
        for thread in read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
            let thread = thread?;
            // A thread may end between being listed and being read.
            let Ok(text) = read_to_string(thread.path().join("schedstat")) else { continue };
            let mut fields = text.split_whitespace().map(str::parse);
            let mut field = || fields.next().context("/proc has changed");
            threads.insert(thread.file_name().to_string_lossy().into_owned(), [field()??, field()??]);
        }
        Ok(Cpu(threads))
    }

    /// What all threads together have used since `earlier`.
    pub fn since(&self, earlier: &Cpu) -> Duration {
        self.each_since(earlier, 0).sum()
    }

    /// How long the thread that waited longest for a processor has done so since `earlier`: on a machine that others
    /// use, what the clock shows more than the program takes.
    pub fn waited_since(&self, earlier: &Cpu) -> Duration {
        self.each_since(earlier, 1).max().unwrap_or_default()
    }

    fn each_since(&self, earlier: &Cpu, field: usize) -> impl Iterator<Item = Duration> {
        self.0.iter().map(move |(thread, now)| {
            let before = earlier.0.get(thread).map_or(0, |before| before[field]);
            Duration::from_nanos(now[field].saturating_sub(before))
        })
    }
}

/// Resident bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc has changed")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
