//! Downloads over ninety days: a plot, stacked by version, and the same numbers as a table.

use chrono::{Days, NaiveDate, Utc};
use maud::{Markup, html};

use super::reading::{Downloads, Reading};
use crate::database::catalog::downloads::{RECENT_DAYS, first_recent_day};
use crate::web::pages::parts::plot::{Frame, HEIGHT, Scale, WIDTH, colour, count_label, float, legend, rounded_up};
use crate::web::pages::parts::text::number;

/// Days of one row of the table.
const ROW_DAYS: usize = 7;

/// The downloads of a version by day, or of all others together.
struct Series {
    label: String,
    days: Vec<i64>,
}

/// The section; empty if there were no downloads.
pub fn section(reading: &Reading) -> Markup {
    let first = first_recent_day(Utc::now());
    let all = series(&reading.downloads, first);
    let total: i64 = all.iter().flat_map(|one| &one.days).sum();
    html! {
        section aria-labelledby="downloads" {
            h2 id="downloads" { "Downloads" }
            @if total == 0 { p class="muted" { "None in the last ninety days." } } @else {
                div class="scroll from-end" tabindex="0" role="group" aria-label="Plot of the downloads" { (plot(&all, first, total)) }
                (legend(all.iter().enumerate().map(|(place, one)| (colour(place), one.label.as_str()))))
                details {
                    summary { "The numbers by week" }
                    (table(&all, first))
                }
            }
        }
    }
}

/// The versions and the others, each with a number for each day.
fn series(downloads: &Downloads, first: NaiveDate) -> Vec<Series> {
    let length = usize::try_from(RECENT_DAYS + 1).unwrap_or(usize::MAX);
    let place = |day: NaiveDate| usize::try_from((day - first).num_days()).ok().filter(|place| *place < length);
    let mut all: Vec<Series> = Vec::new();
    for (id, num) in &downloads.versions {
        let mut days = vec![0; length];
        for one in downloads.of_versions.iter().filter(|one| one.version_id == *id) {
            if let Some(place) = place(one.day) {
                days[place] += one.downloads;
            }
        }
        all.push(Series { label: num.to_string(), days });
    }
    if !downloads.of_others.is_empty() {
        let mut days = vec![0; length];
        for (day, count) in &downloads.of_others {
            if let Some(place) = place(*day) {
                days[place] += count;
            }
        }
        all.push(Series { label: "older versions".to_owned(), days });
    }
    all.retain(|one| one.days.iter().any(|count| *count > 0));
    all
}

/// The plot: for each series one path of a bar a day, on top of those below it.
fn plot(all: &[Series], first: NaiveDate, total: i64) -> Markup {
    let length = all.first().map_or(0, |one| one.days.len());
    let most = (0..length).map(|day| all.iter().map(|one| one.days[day]).sum::<i64>()).max().unwrap_or(1).max(1);
    let frame = Frame::new(length, Scale::new(float(rounded_up(most)), count_label));
    let mut below = vec![0; length];
    let paths: Vec<String> = all
        .iter()
        .map(|one| {
            let mut path = String::new();
            for (day, count) in one.days.iter().enumerate().filter(|(_, count)| **count > 0) {
                path += &frame.bar(day, float(below[day]), float(below[day] + count));
                below[day] += count;
            }
            path
        })
        .collect();
    let months = (0..length).filter_map(|day| {
        let date = first.checked_add_days(Days::new(u64::try_from(day).ok()?))?;
        (date.format("%-d").to_string() == "1").then(|| (day, date.format("%b").to_string()))
    });
    let label =
        format!("Downloads a day in the last ninety days: {} in all, at most {} a day", number(total), number(most));
    html! {
        svg class="plot" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            (frame.grid())
            @for (day, month) in months { (frame.below(day, &month)) }
            @for (place, path) in paths.iter().enumerate() { path class=(colour(place)) d=(path) {} }
        }
    }
}

/// The numbers by week, the newest first.
fn table(all: &[Series], first: NaiveDate) -> Markup {
    let length = all.first().map_or(0, |one| one.days.len());
    let ends: Vec<usize> = (1..=length).rev().step_by(ROW_DAYS).collect();
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Downloads by week" {
            table {
                caption { "Downloads by version, for the seven days to each day" }
                thead { tr { th scope="col" { "To" } @for one in all { th scope="col" class="n" { (one.label) } } } }
                tbody {
                    @for end in ends {
                        tr {
                            th scope="row" { (day_before(first, end)) }
                            @for one in all { td class="n" { (number(one.days[end.saturating_sub(ROW_DAYS)..end].iter().sum())) } }
                        }
                    }
                }
            }
        }
    }
}

fn day_before(first: NaiveDate, days: usize) -> String {
    let days = u64::try_from(days).unwrap_or(1).saturating_sub(1);
    first.checked_add_days(Days::new(days)).map(|day| day.format("%-d %b").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_download_of_the_ninety_days_is_plotted() {
        let first: NaiveDate = "2026-01-01".parse().unwrap();
        let day = |add| first.checked_add_days(Days::new(add)).unwrap();
        let of = |day, downloads| crate::database::catalog::downloads::OfDay { version_id: 1, day, downloads };
        let downloads = Downloads {
            versions: vec![(1, "1.0.0".parse().unwrap()), (2, "2.0.0".parse().unwrap())],
            of_versions: vec![of(day(0), 3), of(day(90), 4), of(day(91), 5)],
            of_others: vec![(day(1), 6)],
        };
        let all = series(&downloads, first);
        let sums: Vec<_> = all.iter().map(|one| (one.label.as_str(), one.days.iter().sum::<i64>())).collect();
        assert_eq!(sums, [("1.0.0", 7), ("older versions", 6)]);
        let shown = plot(&all, first, 13).into_string();
        assert_eq!(shown.matches("M30.0").count(), 1, "{shown}");
    }
}
