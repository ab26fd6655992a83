//! Times, for people and for programs.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

/// A time as the distance from now, with the time itself for programs and on demand.
pub fn ago(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(machine(at)) title=(exact(at)) { (distance(Utc::now() - at)) } }
}

/// The day of a time.
pub fn day(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(machine(at)) title=(exact(at)) { (at.format("%-d %b %Y")) } }
}

/// A time in RFC 3339.
pub fn machine(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub fn exact(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// `3 days ago`, in the largest unit of which there is at least one.
fn distance(ago: TimeDelta) -> String {
    let units = [
        (ago.num_days() / 365, "year"),
        (ago.num_days() / 30, "month"),
        (ago.num_days() / 7, "week"),
        (ago.num_days(), "day"),
        (ago.num_hours(), "hour"),
        (ago.num_minutes(), "minute"),
    ];
    match units.into_iter().find(|(count, _)| *count > 0) {
        Some((1, unit)) => format!("1 {unit} ago"),
        Some((count, unit)) => format!("{count} {unit}s ago"),
        None => "just now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_in_its_largest_unit() {
        for (minutes, text) in [
            (0, "just now"),
            (-5, "just now"),
            (1, "1 minute ago"),
            (119, "1 hour ago"),
            (60 * 24 * 2, "2 days ago"),
            (60 * 24 * 13, "1 week ago"),
            (60 * 24 * 31, "1 month ago"),
            (60 * 24 * 800, "2 years ago"),
        ] {
            assert_eq!(distance(TimeDelta::minutes(minutes)), text);
        }
    }
}
