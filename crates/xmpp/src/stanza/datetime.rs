//! Date and time on the wire, XEP-0082: UTC, to the millisecond where there are any.

use jiff::Timestamp;

/// Unix milliseconds as `2002-09-10T23:08:25Z`, with `.sss` where it is not a whole second.
pub fn format_ms(unix_ms: i64) -> String {
    let stamp = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    if unix_ms % 1000 == 0 { format!("{stamp:.0}") } else { format!("{stamp:.3}") }
}

/// The other way; `None` for what is no XEP-0082 date and time.
pub fn parse_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|t| t.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(format_ms(655_862_317_000), "1990-10-13T23:58:37Z");
        assert_eq!(parse_ms("1990-10-13T23:58:37Z"), Some(655_862_317_000));
        assert_eq!(format_ms(1_250), "1970-01-01T00:00:01.250Z");
        assert_eq!(parse_ms("1969-07-20T21:56:15-05:00"), Some(-14_159_025_000));
        assert_eq!(parse_ms("yesterday"), None);
    }
}
