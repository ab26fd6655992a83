//! Parsers of durations.

use std::time::Duration;

/// Parses a duration with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}: use 500ms, 2s, 1m or 30days"))
}

/// Parses an interval, which must not be zero.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        pause if pause < Duration::from_millis(10) => Err("too short: use at least 10ms".to_owned()),
        pause => Ok(pause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("30days"), Ok(Duration::from_secs(30 * 24 * 3600)));
        assert!(duration("5").unwrap_err().contains("500ms"));
    }

    #[test]
    fn an_interval_is_not_zero() {
        assert_eq!(pause("20ms"), Ok(Duration::from_millis(20)));
        assert!(pause("0s").unwrap_err().contains("at least 10ms"));
    }
}
