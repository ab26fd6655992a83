//! The frame of a plot: its scale, its grid, and where its bars are. Every plot has its numbers in a table beside it.

use maud::{Markup, html};

use super::text::number;

pub const WIDTH: f64 = 720.0;
pub const HEIGHT: f64 = 160.0;
/// Room for the labels.
const LEFT: f64 = 44.0;
const ABOVE: f64 = 8.0;
const BELOW: f64 = 18.0;

/// A plot of so many places, from 0 to a top.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub places: usize,
    pub top: f64,
}

impl Frame {
    fn step(self) -> f64 {
        (WIDTH - LEFT) / to_float(self.places.max(1))
    }

    /// The left side of a place.
    pub fn x(self, place: usize) -> f64 {
        LEFT + self.step() * to_float(place)
    }

    fn y(self, value: f64) -> f64 {
        ABOVE + (HEIGHT - BELOW - ABOVE) * (1.0 - value / self.top)
    }

    /// The bar of a place between two values, as a part of a path.
    pub fn bar(self, place: usize, from: f64, to: f64) -> String {
        let (from, to) = (self.y(from), self.y(to));
        format!("M{:.1} {from:.1}V{to:.1}h{:.1}V{from:.1}z", self.x(place), self.step() * 0.8)
    }

    /// Lines at the bottom, in the middle and at the top.
    pub fn grid(self, label: impl Fn(f64) -> String) -> Markup {
        html! {
            @for value in [0.0, self.top / 2.0, self.top] {
                @let y = self.y(value);
                line class="grid" x1=(LEFT) x2=(WIDTH) y1=(format!("{y:.1}")) y2=(format!("{y:.1}")) {}
                text x=(LEFT - 6.0) y=(format!("{:.1}", y + 4.0)) text-anchor="end" { (label(value)) }
            }
        }
    }

    /// A label below a place.
    pub fn below(self, place: usize, label: &str) -> Markup {
        html! { text x=(format!("{:.1}", self.x(place))) y=(HEIGHT - 4.0) { (label) } }
    }
}

/// A whole number beside the grid, with its thousands apart.
#[expect(clippy::cast_possible_truncation, reason = "the scale has whole numbers, and counts fit")]
pub fn count_label(value: f64) -> String {
    number(value as i64)
}

/// The class with the colour of a series.
pub fn colour(place: usize) -> String {
    format!("s{}", place.min(5))
}

/// The names of the series, each with its colour.
pub fn legend<'a>(labels: impl IntoIterator<Item = &'a str>) -> Markup {
    html! {
        ul class="legend" {
            @for (place, label) in labels.into_iter().enumerate() {
                li { svg viewBox="0 0 8 8" aria-hidden="true" { rect class=(colour(place)) width="8" height="8" {} } (label) }
            }
        }
    }
}

/// The next number with one digit that is even or 1, and zeros.
pub fn rounded_up(most: i64) -> i64 {
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
pub fn float(count: i64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a plot has few places")]
fn to_float(place: usize) -> f64 {
    place as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_a_round_number() {
        assert_eq!([0, 1, 2, 3, 9, 10, 11, 99, 101, 450].map(rounded_up), [2, 2, 2, 4, 10, 10, 20, 100, 200, 600]);
    }

    #[test]
    fn a_bar_begins_at_its_place_and_ends_at_its_value() {
        let frame = Frame { places: 2, top: 10.0 };
        assert_eq!(frame.bar(0, 0.0, 10.0), "M44.0 142.0V8.0h270.4V142.0z");
        assert_eq!(frame.bar(1, 5.0, 10.0), "M382.0 75.0V8.0h270.4V75.0z");
    }
}
