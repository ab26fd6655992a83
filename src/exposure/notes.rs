//! What the log of downloads cannot tell. Without such a note, an empty list means that there was no download.

use chrono::{DateTime, Utc};

use crate::database::download_log::coverage::Coverage;

pub(super) fn notes(
    reach: &Coverage,
    since: Option<DateTime<Utc>>,
    published_at: Option<DateTime<Utc>>,
    is_empty: bool,
) -> Vec<String> {
    let Some(tokens_since) = reach.tokens_since else {
        return vec![match is_empty {
            true => "Downloads are not logged (`--download-log-retention`): who downloaded it is not known.".to_owned(),
            false => "Downloads are no longer logged (`--download-log-retention`): the lists have what is left of a former log.".to_owned(),
        }];
    };
    // Before that there was nothing to download, or nothing that was asked for.
    let needed = since.max(published_at);
    let is_late = |began: DateTime<Utc>| needed.is_none_or(|needed| began > needed);
    let mut notes = Vec::new();
    if is_late(tokens_since) {
        let published = published_at.filter(|at| since.is_none_or(|since| since < *at));
        let published =
            published.map(|at| format!(", and the version was published on {}", exact(at))).unwrap_or_default();
        notes.push(format!(
            "The log reaches back to {}{published}: earlier downloads are not known.",
            exact(tokens_since)
        ));
    }
    match reach.others_since {
        None => notes.push("Downloads without a token are not logged (`--download-log-anonymous`).".to_owned()),
        Some(others_since) if is_late(others_since) && others_since > tokens_since => {
            notes.push(format!("Downloads without a token are logged since {} only.", exact(others_since)));
        }
        Some(_) => {}
    }
    if let Some(at) = reach.lost_at {
        let counted = if reach.lost == 1 { "1 download".to_owned() } else { format!("{} downloads", reach.lost) };
        notes.push(format!(
            "{counted} of any crates could not be logged while the database was away, the last on {}.",
            exact(at)
        ));
    }
    notes
}

fn exact(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn of(reach: (Option<i64>, Option<i64>), since: Option<i64>, published: Option<i64>) -> String {
        let (tokens_since, others_since) = (reach.0.map(day), reach.1.map(day));
        let reach = Coverage { tokens_since, others_since, lost: 0, lost_at: None };
        notes(&reach, since.map(day), published.map(day), true).join(" ")
    }

    #[test]
    fn a_log_that_does_not_reach_back_says_so() {
        insta::assert_snapshot!(of((None, None), None, Some(5)), @"Downloads are not logged (`--download-log-retention`): who downloaded it is not known.");
        insta::assert_snapshot!(of((Some(10), Some(10)), None, Some(5)), @"The log reaches back to 1970-01-11 at 00:00 UTC, and the version was published on 1970-01-06 at 00:00 UTC: earlier downloads are not known.");
        insta::assert_snapshot!(of((Some(10), Some(10)), Some(8), Some(5)), @"The log reaches back to 1970-01-11 at 00:00 UTC: earlier downloads are not known.");
        insta::assert_snapshot!(of((Some(10), Some(10)), None, None), @"The log reaches back to 1970-01-11 at 00:00 UTC: earlier downloads are not known.");
        insta::assert_snapshot!(of((Some(10), Some(20)), Some(15), None), @"Downloads without a token are logged since 1970-01-21 at 00:00 UTC only.");
        insta::assert_snapshot!(of((Some(10), None), Some(15), None), @"Downloads without a token are not logged (`--download-log-anonymous`).");
    }

    #[test]
    fn a_log_that_reaches_back_far_enough_says_nothing() {
        for (since, published) in [(None, Some(10)), (Some(10), None), (Some(12), Some(5)), (Some(5), Some(12))] {
            assert_eq!(of((Some(10), Some(10)), since, published), "", "{since:?} {published:?}");
        }
    }

    #[test]
    fn lost_entries_and_what_is_left_of_a_former_log_are_told() {
        let reach = Coverage { tokens_since: Some(day(1)), others_since: Some(day(1)), lost: 2, lost_at: Some(day(3)) };
        insta::assert_snapshot!(notes(&reach, Some(day(2)), None, false).join(" "), @"2 downloads of any crates could not be logged while the database was away, the last on 1970-01-04 at 00:00 UTC.");
        insta::assert_snapshot!(notes(&Coverage::default(), None, None, false).join(" "), @"Downloads are no longer logged (`--download-log-retention`): the lists have what is left of a former log.");
    }
}
