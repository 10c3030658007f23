//! How answers look: tables for people, one JSON object for programs.

use std::io::{self, Write as _};

use serde::Serialize;

use super::exit::Failure;

/// Prints one object on one line.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string()))?;
    line(&text)
}

/// Prints a line; a reader that has gone, as `head` does, ends it quietly.
pub fn line(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::failed("")),
        Err(error) => Err(Failure::failed(format!("standard output: {error}"))),
    }
}

/// Prints rows under their heads, columns aligned, two spaces between.
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let heads = heads.map(str::to_owned);
    let all = || std::iter::once(&heads).chain(rows);
    let widths: Vec<usize> =
        (0..N).map(|column| all().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for row in all() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// A number of bytes as people read it: `1.2 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1024.0
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = Some(next);
    }
    match unit {
        Some(&"B") | None => format!("{count} B"),
        Some(unit) => format!("{value:.1} {unit}"),
    }
}

/// A length of time as people read it: the two largest units.
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// A short length of time: milliseconds below a second.
pub fn lag(ms: u64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { ago(ms / 1_000) }
}

/// How long ago a time was that is given in Unix seconds.
pub fn since(unix: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    ago(now.saturating_sub(unix.max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_024 * 1_536), "1.5 MiB");
        assert_eq!((lag(999), lag(1_999)), ("999 ms".into(), "1 s".into()));
        assert_eq!(ago(59), "59 s");
        assert_eq!(ago(3_725), "1 h 2 min");
        assert_eq!(ago(200_000), "2 d 7 h");
    }
}
