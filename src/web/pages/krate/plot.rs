//! Downloads over ninety days: a plot, stacked by version, and the same numbers as a table.

use chrono::{Days, NaiveDate, Utc};
use maud::{Markup, html};

use super::reading::{Downloads, Reading};
use crate::database::catalog::downloads::{RECENT_DAYS, first_recent_day};
use crate::web::pages::parts::text::number;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;
/// Room for the labels.
const LEFT: f64 = 44.0;
const BELOW: f64 = 18.0;

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
                ul class="legend" {
                    @for (place, one) in all.iter().enumerate() {
                        li { svg viewBox="0 0 8 8" aria-hidden="true" { rect class=(colour(place)) width="8" height="8" {} } (one.label) }
                    }
                }
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

fn colour(place: usize) -> String {
    format!("s{}", place.min(5))
}

/// The plot: for each series one path of a bar a day, on top of those below it.
fn plot(all: &[Series], first: NaiveDate, total: i64) -> Markup {
    let length = all.first().map_or(0, |one| one.days.len());
    let most = (0..length).map(|day| all.iter().map(|one| one.days[day]).sum::<i64>()).max().unwrap_or(1).max(1);
    let top = rounded_up(most);
    let (height, step) = (HEIGHT - BELOW, (WIDTH - LEFT) / to_float(length));
    let y = |count: i64| 8.0 + (height - 8.0) * (1.0 - float(count) / float(top));
    let mut below = vec![0; length];
    let paths: Vec<String> = all
        .iter()
        .map(|one| {
            let mut path = String::new();
            for (day, count) in one.days.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (from, to) = (y(below[day]), y(below[day] + count));
                path += &format!("M{:.1} {from:.1}V{to:.1}h{:.1}V{from:.1}z", LEFT + step * to_float(day), step * 0.8);
                below[day] += count;
            }
            path
        })
        .collect();
    let months = (0..length).filter_map(|day| {
        let date = first.checked_add_days(Days::new(u64::try_from(day).ok()?))?;
        (date.format("%-d").to_string() == "1").then(|| (LEFT + step * to_float(day), date.format("%b").to_string()))
    });
    let label =
        format!("Downloads a day in the last ninety days: {} in all, at most {} a day", number(total), number(most));
    html! {
        svg class="plot" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            @for count in [0, top / 2, top] {
                line class="grid" x1=(LEFT) x2=(WIDTH) y1=(format!("{:.1}", y(count))) y2=(format!("{:.1}", y(count))) {}
                text x=(LEFT - 6.0) y=(format!("{:.1}", y(count) + 4.0)) text-anchor="end" { (number(count)) }
            }
            @for (x, month) in months { text x=(format!("{x:.1}")) y=(HEIGHT - 4.0) { (month) } }
            @for (place, path) in paths.iter().enumerate() { path class=(colour(place)) d=(path) {} }
        }
    }
}

/// The next number with one digit that is even or 1, and zeros.
fn rounded_up(most: i64) -> i64 {
    let mut unit: i64 = 1;
    while unit.saturating_mul(10) < most {
        unit *= 10;
    }
    [1, 2, 4, 6, 8, 10]
        .into_iter()
        .map(|digit| unit.saturating_mul(digit))
        .find(|top| *top >= most)
        .unwrap_or(most)
        .max(2)
}

#[expect(clippy::cast_precision_loss, reason = "a plot needs three digits")]
fn float(count: i64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "there are ninety-one days")]
fn to_float(place: usize) -> f64 {
    place as f64
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
    fn the_scale_ends_at_a_round_number() {
        assert_eq!([0, 1, 2, 3, 9, 10, 11, 99, 101, 450].map(rounded_up), [2, 2, 2, 4, 10, 10, 20, 100, 200, 600]);
    }

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
        assert_eq!(shown.matches("M44").count(), 1, "{shown}");
    }
}
