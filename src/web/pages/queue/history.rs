//! The last day of the queue: how many jobs ended, and how long they had waited.

use chrono::DateTime;
use maud::{Markup, html};

use crate::checks::finding::span;
use crate::queue::recent::{FRESH, LastDay, Part};
use crate::web::pages::parts::plot::{Frame, HEIGHT, WIDTH, colour, count_label, float, legend, rounded_up};
use crate::web::pages::parts::text::{counted, number};

/// The names of what is shown.
const ENDED: [&str; 2] = ["finished", "failed attempts"];
const WAITED: [&str; 2] = ["median", "95 of 100 jobs"];
/// Parts from one label to the next: six hours.
const LABELLED: i64 = 6 * 60 * 60;

/// The section.
pub fn section(day: &LastDay) -> Markup {
    let parts = &day.parts;
    let sum = |of: fn(&Part) -> i64| parts.iter().map(of).sum::<i64>();
    let (done, failed) = (sum(|part| part.done), sum(|part| part.failed));
    html! {
        section aria-labelledby="day" {
            h2 id="day" { "The last 24 hours" }
            @if done + failed == 0 {
                p class="muted" { "No job has ended." }
            } @else {
                p { (number(done)) " finished, " (counted(failed, "attempt")) " failed." }
                h3 { "Jobs in each half hour" }
                div class="scroll from-end" tabindex="0" role="group" aria-label="Plot of the jobs" { (ended(parts, done, failed)) }
                (legend(ENDED))
                h3 { "Waiting time" }
                p class="muted" { "From the request to the start of the attempt that finished the job." }
                div class="scroll from-end" tabindex="0" role="group" aria-label="Plot of the waiting time" { (waited(parts)) }
                (legend(WAITED))
                details id="day-numbers" {
                    summary { "The numbers by half hour" }
                    (table(parts))
                }
                p class="muted" { "The current half hour is counted every " (FRESH.as_secs()) " seconds. Times are UTC." }
            }
        }
    }
}

fn frame(parts: &[Part], most: i64) -> Frame {
    Frame { places: parts.len(), top: float(rounded_up(most)) }
}

fn ended(parts: &[Part], done: i64, failed: i64) -> Markup {
    let most = parts.iter().map(|part| part.done + part.failed).max().unwrap_or(0);
    let frame = frame(parts, most);
    let (mut lower, mut upper) = (String::new(), String::new());
    for (place, part) in parts.iter().enumerate() {
        if part.done > 0 {
            lower += &frame.bar(place, 0.0, float(part.done));
        }
        if part.failed > 0 {
            upper += &frame.bar(place, float(part.done), float(part.done + part.failed));
        }
    }
    let label = format!(
        "Jobs in each half hour of the last 24 hours: {} finished and {} failed attempts in all, at most {} in one",
        number(done),
        number(failed),
        number(most)
    );
    plot(frame, parts, &label, [lower, upper], &count_label)
}

fn waited(parts: &[Part]) -> Markup {
    let most = parts.iter().filter_map(|part| part.p95).fold(0.0, f64::max);
    let frame = frame(parts, milliseconds(most));
    let (mut lower, mut upper) = (String::new(), String::new());
    for (place, part) in parts.iter().enumerate() {
        if let Some((median, p95)) = part.median.zip(part.p95) {
            lower += &frame.bar(place, 0.0, median * 1000.0);
            upper += &frame.bar(place, median * 1000.0, p95 * 1000.0);
        }
    }
    let label = format!(
        "Waiting time of jobs in each half hour of the last 24 hours: 95 of 100 waited {} at most",
        seconds(most)
    );
    plot(frame, parts, &label, [lower, upper], &|value| seconds(value / 1000.0))
}

fn plot(frame: Frame, parts: &[Part], label: &str, paths: [String; 2], scale: &dyn Fn(f64) -> String) -> Markup {
    html! {
        svg class="plot" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            (frame.grid(scale))
            @for (place, part) in parts.iter().enumerate().filter(|(_, part)| part.start % LABELLED == 0) {
                (frame.below(place, &time_of(part.start)))
            }
            @for (place, path) in paths.iter().enumerate() { path class=(colour(place)) d=(path) {} }
        }
    }
}

/// The numbers of each half hour in which a job ended, the newest first.
fn table(parts: &[Part]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Numbers by half hour" {
            table class="day" {
                caption { "Half hours in which a job ended or failed, the newest first" }
                thead {
                    tr {
                        th scope="col" { "From" }
                        @for label in ENDED { th scope="col" class="n" { (label) } }
                        @for label in WAITED { th scope="col" class="n" { "waited: " (label) } }
                    }
                }
                tbody {
                    @for part in parts.iter().rev().filter(|part| part.done + part.failed > 0) {
                        tr {
                            th scope="row" { (time_of(part.start)) }
                            td class="n" { (number(part.done)) }
                            td class="n" { (number(part.failed)) }
                            td class="n" { (part.median.map_or("–".to_owned(), seconds)) }
                            td class="n" { (part.p95.map_or("–".to_owned(), seconds)) }
                        }
                    }
                }
            }
        }
    }
}

fn time_of(start: i64) -> String {
    DateTime::from_timestamp(start, 0).map(|at| at.format("%H:%M").to_string()).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "a cast to an integer stops at its limits")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).ceil() as i64
}

/// A waiting time, in a unit in which it has few digits.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        short if short < 0.9995 => format!("{:.0} ms", short * 1000.0),
        short if short < 99.95 => format!("{short:.1} s"),
        long => span(long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_time_has_few_digits() {
        assert_eq!(
            [0.0, 0.0126, 0.9999, 12.34, 99.96, 4000.0].map(seconds),
            ["0 ms", "13 ms", "1.0 s", "12.3 s", "1m 39s", "1h 6m"]
        );
    }
}
