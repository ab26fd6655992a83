//! The last day of the queue: how many jobs ended, and how long they had waited.

use chrono::DateTime;
use maud::{Markup, html};

use crate::checks::finding::span;
use crate::queue::recent::{FRESH, LastDay, Part};
use crate::web::pages::parts::plot::{Frame, HEIGHT, Scale, WIDTH, count_label, float, legend, rounded_up};
use crate::web::pages::parts::text::{counted, number};

/// What is shown, by classes. The second one of each is drawn as an outline, so that colours are not needed to tell them apart.
const ENDED: [(&str, &str); 2] = [("finished", "finished"), ("failed", "failed attempts")];
const WAITED: [(&str, &str); 2] = [("median", "median"), ("most", "95 of 100 jobs")];
/// From one time below a plot to the next: six hours. They are counted from 1970 on, so these are the same hours of each day.
const LABELLED: i64 = 6 * 60 * 60;
/// The tops of the scale of the waiting time that are less than a day, in milliseconds. A half of each is a round time, too.
const TOPS: [i64; 34] = [
    2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 600, 800, 1_000, 2_000, 4_000, 6_000, 8_000, 10_000, 20_000, 30_000,
    60_000, 120_000, 240_000, 360_000, 600_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000,
    43_200_000,
];
const DAY: i64 = 86_400_000;

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
                @let [jobs, times] = [scale_of_jobs(parts), scale_of_times(parts)];
                @let room = jobs.room().max(times.room());
                @let [jobs, times] = [jobs, times].map(|scale| Frame::new(parts.len(), scale).with_room(room));
                h3 { "Jobs in each half hour" }
                div class="scroll from-end" tabindex="0" role="group" aria-label="Plot of the jobs" {
                    (ended(&jobs, parts, done, failed))
                }
                (legend(ENDED))
                h3 { "Waiting time" }
                p class="muted" { "From the request to the start of the attempt that finished the job." }
                div class="scroll from-end" tabindex="0" role="group" aria-label="Plot of the waiting time" { (waited(&times, parts)) }
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

fn most_jobs(parts: &[Part]) -> i64 {
    parts.iter().map(|part| part.done + part.failed).max().unwrap_or(0)
}

fn longest_wait(parts: &[Part]) -> f64 {
    parts.iter().filter_map(|part| part.p95).fold(0.0, f64::max)
}

fn scale_of_jobs(parts: &[Part]) -> Scale {
    Scale::new(float(rounded_up(most_jobs(parts))), count_label)
}

/// In milliseconds.
fn scale_of_times(parts: &[Part]) -> Scale {
    Scale::new(float(top_of_times(milliseconds(longest_wait(parts)))), |value| match value {
        short if short < 1000.0 => format!("{short:.0} ms"),
        long => span(long / 1000.0),
    })
}

/// The next round time, in milliseconds.
fn top_of_times(longest: i64) -> i64 {
    let within_a_day = TOPS.into_iter().find(|top| *top >= longest);
    // A single day is one of two, so that its half is not.
    within_a_day.unwrap_or_else(|| rounded_up(longest.div_euclid(DAY) + 1).saturating_mul(DAY))
}

fn ended(frame: &Frame, parts: &[Part], done: i64, failed: i64) -> Markup {
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
        number(most_jobs(parts))
    );
    plot(frame, parts, &label, [(ENDED[0].0, lower), (ENDED[1].0, upper)])
}

fn waited(frame: &Frame, parts: &[Part]) -> Markup {
    let (mut lower, mut upper) = (String::new(), String::new());
    for (place, part) in parts.iter().enumerate() {
        if let Some((median, p95)) = part.median.zip(part.p95) {
            lower += &frame.bar(place, 0.0, median * 1000.0);
            upper += &frame.bar(place, median * 1000.0, p95 * 1000.0);
        }
    }
    let label = format!(
        "Waiting time of jobs in each half hour of the last 24 hours: 95 of 100 waited {} at most",
        seconds(longest_wait(parts))
    );
    plot(frame, parts, &label, [(WAITED[0].0, lower), (WAITED[1].0, upper)])
}

/// `paths` have their classes.
fn plot(frame: &Frame, parts: &[Part], label: &str, paths: [(&str, String); 2]) -> Markup {
    html! {
        svg class="plot" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            (frame.grid())
            @for (place, part) in parts.iter().enumerate().filter(|(_, part)| part.start % LABELLED == 0) {
                (frame.below(place, &time_of(part.start)))
            }
            @for (class, path) in &paths { path class=(class) d=(path) {} }
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
                        @for (_, label) in ENDED { th scope="col" class="n" { (label) } }
                        @for (_, label) in WAITED { th scope="col" class="n" { "waited: " (label) } }
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

    const STYLE: &str = include_str!("../assets/style.css");

    #[test]
    fn the_scale_of_the_waiting_time_has_round_times() {
        let labels = |seconds: f64| {
            let part = Part { start: 0, done: 1, failed: 0, median: Some(0.0), p95: Some(seconds) };
            let shown = Frame::new(1, scale_of_times(&[part])).grid().into_string();
            let texts =
                shown.split("</text>").filter_map(|one| one.rsplit_once('>')).map(|(_, label)| label.to_owned());
            texts.filter(|label| !label.is_empty()).collect::<Vec<_>>().join(" ")
        };
        for (longest, shown) in [
            (0.0, "0 ms 1 ms 2 ms"),
            (0.9, "0 ms 500 ms 1s"),
            (25.0, "0 ms 15s 30s"),
            (99.0, "0 ms 1m 2m"),
            (3_601.0, "0 ms 1h 2h"),
            (50_000.0, "0 ms 1day 2days"),
            (90_000.0, "0 ms 1day 2days"),
            (200_000.0, "0 ms 2days 4days"),
        ] {
            assert_eq!(labels(longest), shown, "{longest}");
        }
        assert!(TOPS.is_sorted());
    }

    #[test]
    fn times_below_the_plot_are_round_hours_of_the_day() {
        // From 14:30 on.
        let parts: Vec<Part> = (0..48)
            .map(|place| Part {
                start: 1_800_023_400 + place * 1800,
                done: 1,
                failed: 1,
                median: Some(1.0),
                p95: Some(2.0),
            })
            .collect();
        let shown = ended(&Frame::new(48, scale_of_jobs(&parts)), &parts, 48, 48).into_string();
        let times: Vec<&str> =
            shown.split("</text>").filter_map(|one| one.rsplit_once('>')).map(|(_, text)| text).collect();
        assert_eq!(times, ["0", "1", "2", "18:00", "00:00", "06:00", "12:00", ""]);
    }

    /// The contrast of two colours. Source: Web Content Accessibility Guidelines 2.2, relative luminance.
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |colour: &str| {
            let digits: String = match colour.len() {
                3 => colour.chars().flat_map(|digit| [digit, digit]).collect(),
                _ => colour.to_owned(),
            };
            let part = |from: usize| {
                let value = f64::from(u8::from_str_radix(&digits[from..from + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
        };
        let [one, other] = [one, other].map(|colour| luminance(colour) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn what_is_plotted_is_seen_in_light_and_dark_and_not_by_its_colour_alone() {
        let rule = |class: &str| {
            let start = format!("\n.{class}{{");
            STYLE.split_once(&start).unwrap_or_else(|| panic!("no {class}")).1.split_once('}').unwrap().0
        };
        let variable = |rule: &str, property: &str| {
            let value = rule.split(';').find_map(|one| one.strip_prefix(property)?.strip_prefix(":var(--")).unwrap();
            value.trim_end_matches(')').to_owned()
        };
        let seen = [
            variable(rule("finished"), "fill"),
            variable(rule("failed"), "stroke"),
            variable(rule("median"), "fill"),
            variable(rule("most"), "stroke"),
        ];
        for (place, scheme) in STYLE.split("color-scheme:dark").enumerate() {
            let colour = |name: &str| {
                let found = scheme.split_once(&format!("--{name}:#")).unwrap_or_else(|| panic!("no {name} in {place}"));
                found.1.split([';', '}']).next().unwrap()
            };
            for name in &seen {
                let contrast = contrast(colour(name), colour("bg"));
                assert!(contrast >= 3.0, "{name} in {place}: {contrast}");
            }
        }
        for outlined in ["failed", "most"] {
            assert_eq!(variable(rule(outlined), "fill"), "bg", "{outlined} is filled");
        }
        assert_eq!((seen[1].as_str(), STYLE.matches("color-scheme:dark").count()), ("bad", 1));
    }

    #[test]
    fn a_waiting_time_has_few_digits() {
        assert_eq!(
            [0.0, 0.0126, 0.9999, 12.34, 99.96, 4000.0].map(seconds),
            ["0 ms", "13 ms", "1.0 s", "12.3 s", "1m 39s", "1h 6m"]
        );
    }
}
