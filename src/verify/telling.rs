//! A report for people, grouped by what differs, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::difference::{Difference, Kind};
use super::standing::Report;
use crate::package::characters::plain;

/// Differences of one kind that are listed for people; all of them are in the JSON.
const LISTED: usize = 50;

impl Report {
    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for &kind in Kind::ALL {
            self.tell_kind(&mut text, kind);
        }
        for crates in &self.in_flight {
            let name = plain(&crates.crate_name);
            text.push_str(&format!("in flight: {name} (a job is owed; see `supercargo jobs list`)\n"));
        }
        if !self.in_flight.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.summary());
        text
    }

    fn tell_kind(&self, text: &mut String, kind: Kind) {
        let Some(&count) = self.by_kind.get(&kind) else { return };
        let of_kind = || self.differences.iter().filter(|one| one.kind == kind);
        text.push_str(&format!("{}: {} ({count})\n", kind.as_str(), kind.meaning()));
        for difference in of_kind().take(LISTED) {
            // Writing to a string can't fail.
            let _ = writeln!(text, "    {}", plain(&tell(difference)));
        }
        let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(LISTED);
        if more > 0 {
            text.push_str(&format!("    and {more} more: --json lists up to 10,000\n"));
        }
        if of_kind().any(|one| one.remains() && one.left.is_none()) {
            text.push_str(&format!("  remedy: {}\n", kind.remedy()));
        }
        text.push('\n');
    }

    /// One line.
    fn summary(&self) -> String {
        let counts = &self.counts;
        let looked = format!(
            "{} crates with {} versions, {} index files and {} crate files{}",
            counts.crates,
            counts.versions,
            counts.index_files,
            counts.crate_files,
            if self.mode == "light" { "" } else { ", each read" }
        );
        let verdict = match (self.left, self.repaired) {
            (0, 0) => "no difference".to_owned(),
            (0, repaired) => format!("{repaired} differences, all of them repaired"),
            (left, 0) => format!("{left} differences"),
            (left, repaired) => format!("{left} differences left, {repaired} repaired"),
        };
        let how = if self.complete { "" } else { " so far; `supercargo verify --resume` goes on from here" };
        format!("{looked}: {verdict}{how}\n")
    }

    /// For programs: one document.
    pub fn to_json(&self) -> Value {
        let mut document = json!(self);
        let seconds = (self.finished_at - self.started_at).as_seconds_f64();
        let by_kind: serde_json::Map<String, Value> =
            self.by_kind.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect();
        document["by_kind"] = Value::Object(by_kind);
        document["agreement"] = json!(self.agrees());
        document["seconds"] = json!(seconds);
        for (told, difference) in document["differences"].as_array_mut().into_iter().flatten().zip(&self.differences) {
            if difference.remains() {
                told["remedy"] = json!(difference.kind.remedy());
            }
        }
        document
    }
}

fn tell(difference: &Difference) -> String {
    let mut subject = match (&difference.crate_name, &difference.version) {
        (Some(name), Some(num)) => format!("{name} {num}"),
        (Some(name), None) => name.clone(),
        _ => difference.path.clone().unwrap_or_else(|| "the index".to_owned()),
    };
    if difference.crate_name.is_some()
        && let Some(path) = &difference.path
    {
        let _ = write!(subject, " at {path}");
    }
    let mut line = format!("{subject}: found {}, expected {}", difference.found, difference.expected);
    if let Some(done) = &difference.repaired {
        let _ = write!(line, "; repaired: {done}");
    }
    if let Some(left) = &difference.left {
        let _ = write!(line, "; not repaired: {left}");
    }
    line
}
