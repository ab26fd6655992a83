//! The frame of a plot: its scale, its grid, and where its bars are. Every plot has its numbers in a table beside it.

use maud::{Markup, html};

use super::text::number;

pub const WIDTH: f64 = 720.0;
pub const HEIGHT: f64 = 160.0;
const ABOVE: f64 = 8.0;
const BELOW: f64 = 18.0;
/// The bottom of the bars.
const BOTTOM: f64 = HEIGHT - BELOW;
/// The most width of a character of a label: in fonts that browsers use for the page, digits are up to 0.64 and most letters
/// up to 0.68 of the font's size, which is 11.
const CHARACTER: f64 = 7.5;
/// Between a label and the grid.
const GAP: f64 = 6.0;
/// Room for the labels, at least.
const LEAST_ROOM: f64 = 30.0;

/// The numbers beside the grid, at the bottom, in the middle and at the top.
#[derive(Clone, Debug)]
pub struct Scale {
    top: f64,
    labels: [String; 3],
}

impl Scale {
    pub fn new(top: f64, label: impl Fn(f64) -> String) -> Self {
        Self { top, labels: [0.0, top / 2.0, top].map(label) }
    }

    /// The room that the labels need.
    pub fn room(&self) -> f64 {
        self.labels.iter().map(|label| width_of(label) + GAP).fold(LEAST_ROOM, f64::max)
    }
}

/// A plot of so many places.
#[derive(Clone, Debug)]
pub struct Frame {
    places: usize,
    scale: Scale,
    left: f64,
}

impl Frame {
    pub fn new(places: usize, scale: Scale) -> Self {
        let left = scale.room();
        Self { places, scale, left }
    }

    /// The same plot with at least this room for labels, so that plots below each other have the same places.
    pub fn with_room(self, room: f64) -> Self {
        Self { left: self.left.max(room), ..self }
    }

    fn step(&self) -> f64 {
        (WIDTH - self.left) / to_float(self.places.max(1))
    }

    /// The left side of a place.
    fn x(&self, place: usize) -> f64 {
        self.left + self.step() * to_float(place)
    }

    fn y(&self, value: f64) -> f64 {
        ABOVE + (BOTTOM - ABOVE) * (1.0 - value / self.scale.top)
    }

    /// The bar of a place between two values, as a part of a path.
    pub fn bar(&self, place: usize, from: f64, to: f64) -> String {
        let (from, to) = (self.y(from), self.y(to));
        format!("M{:.1} {from:.1}V{to:.1}h{:.1}V{from:.1}z", self.x(place), self.step() * 0.8)
    }

    /// Lines at the bottom, in the middle and at the top.
    pub fn grid(&self) -> Markup {
        let values = [0.0, self.scale.top / 2.0, self.scale.top];
        html! {
            @for (value, label) in values.into_iter().zip(&self.scale.labels) {
                @let y = self.y(value);
                line class="grid" x1=(format!("{:.1}", self.left)) x2=(WIDTH) y1=(format!("{y:.1}")) y2=(format!("{y:.1}")) {}
                text x=(format!("{:.1}", self.left - GAP)) y=(format!("{:.1}", y + 4.0)) text-anchor="end" { (label) }
            }
        }
    }

    /// A label below a place, from its left side on, with a line that marks it. Near the right side it ends there.
    pub fn below(&self, place: usize, label: &str) -> Markup {
        let x = self.x(place);
        html! {
            line class="grid" x1=(format!("{x:.1}")) x2=(format!("{x:.1}")) y1=(BOTTOM) y2=(BOTTOM + 5.0) {}
            @if x + 3.0 + width_of(label) > WIDTH {
                text x=(WIDTH) y=(HEIGHT - 4.0) text-anchor="end" { (label) }
            } @else {
                text x=(format!("{:.1}", x + 3.0)) y=(HEIGHT - 4.0) { (label) }
            }
        }
    }
}

/// The width of a label, at most.
fn width_of(label: &str) -> f64 {
    to_float(label.chars().count()) * CHARACTER
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

/// The names of the series, each with the class of its colour.
pub fn legend<'a, C: AsRef<str>>(series: impl IntoIterator<Item = (C, &'a str)>) -> Markup {
    html! {
        ul class="legend" {
            @for (class, label) in series {
                li { svg viewBox="0 0 8 8" aria-hidden="true" { rect class=(class.as_ref()) width="8" height="8" {} } (label) }
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
        let frame = Frame::new(2, Scale::new(10.0, count_label));
        assert_eq!(frame.bar(0, 0.0, 10.0), "M30.0 142.0V8.0h276.0V142.0z");
        assert_eq!(frame.bar(1, 5.0, 10.0), "M375.0 75.0V8.0h276.0V75.0z");
    }

    #[test]
    fn labels_have_the_room_that_they_need() {
        let left = |top| Frame::new(2, Scale::new(top, count_label)).x(0);
        assert_eq!([left(10.0), left(1_000.0), left(2_000_000.0)], [30.0, 43.5, 73.5]);
        assert_eq!(Frame::new(2, Scale::new(10.0, count_label)).with_room(73.5).x(0), 73.5);
        // No label reaches beyond the right side.
        let frame = Frame::new(48, Scale::new(10.0, count_label));
        let shown = |place| frame.below(place, "18:00").into_string();
        assert!(
            !shown(40).contains("text-anchor") && shown(47).contains("<text x=\"720\" y=\"156\" text-anchor=\"end\">")
        );
    }
}
