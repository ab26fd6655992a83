//! The output of a report: text for people, grouped by kind of difference, and JSON for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::difference::{Difference, Kind};
use super::report::Report;
use crate::package::characters::plain;

/// Differences of one kind that the text lists. The JSON lists more.
const LISTED: usize = 50;

impl Report {
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for &kind in Kind::ALL {
            self.write_kind(&mut text, kind);
        }
        for one in &self.in_flight {
            let name = plain(&one.crate_name);
            text.push_str(&format!("in flight: {name} (a job is pending: see `supercargo jobs list`)\n"));
        }
        if !self.in_flight.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.summary());
        text
    }

    fn write_kind(&self, text: &mut String, kind: Kind) {
        let Some(&count) = self.by_kind.get(&kind) else { return };
        let of_kind = || self.differences.iter().filter(|one| one.kind == kind);
        text.push_str(&format!("{}: {} ({count})\n", kind.as_str(), kind.meaning()));
        for difference in of_kind().take(LISTED) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    {}", plain(&line(difference)));
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

    /// The last line.
    fn summary(&self) -> String {
        let counts = &self.counts;
        let of_upstreams = match (counts.upstream_index_files, counts.upstream_crate_files) {
            (0, 0) => String::new(),
            (index, crates) => format!("; of upstreams {index} index files and {crates} crate files"),
        };
        let exported = match counts.exported_files {
            0 => String::new(),
            files => format!("; {files} files of the copy of the index"),
        };
        let checked = format!(
            "{} crates with {} versions, {} index files and {} crate files{}{of_upstreams}{exported}",
            counts.crates,
            counts.versions,
            counts.index_files,
            counts.crate_files,
            if self.mode == "light" { "" } else { ", each read" }
        );
        let verdict = match (self.left, self.repaired) {
            (0, 0) => "no differences".to_owned(),
            (0, repaired) => format!("{repaired} differences, all repaired"),
            (left, 0) => format!("{left} differences"),
            (left, repaired) => format!("{left} differences left, {repaired} repaired"),
        };
        let how = if self.complete { "" } else { " so far: `supercargo verify --resume` continues from here" };
        format!("{checked}: {verdict}{how}\n")
    }

    pub fn to_json(&self) -> Value {
        let mut document = json!(self);
        let seconds = (self.finished_at - self.started_at).as_seconds_f64();
        let by_kind: serde_json::Map<String, Value> =
            self.by_kind.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect();
        document["by_kind"] = Value::Object(by_kind);
        document["agreement"] = json!(self.agrees());
        document["seconds"] = json!(seconds);
        for (entry, difference) in document["differences"].as_array_mut().into_iter().flatten().zip(&self.differences) {
            if difference.remains() {
                entry["remedy"] = json!(difference.kind.remedy());
            }
        }
        document
    }
}

/// A difference on one line.
fn line(difference: &Difference) -> String {
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
