//! Comparison of a crate's rows with its index file, without any reads.
//!
//! One cause is reported once: a version that is queued because its job is missing has no line, and is not also reported
//! as a missing line.

use std::collections::HashMap;
use std::fmt::Display;

use serde_json::Value;

use super::difference::{Difference, Kind};
use crate::database::upkeep::crate_states::{CrateState, VersionState};
use crate::index::IndexFile;
use crate::index::entry::{render, with_yanked};
use crate::package::index_path::index_path;

/// The lines of a file, by their `vers`.
struct Lines<'a> {
    by_version: HashMap<String, Vec<Line<'a>>>,
    /// The versions in the order of their first lines.
    order: Vec<String>,
}

struct Line<'a> {
    text: &'a str,
    fields: Value,
}

impl Line<'_> {
    fn yanked(&self) -> bool {
        self.fields["yanked"].as_bool().unwrap_or(false)
    }
}

/// The differences between a crate's rows and its index file. `dead` are the versions that dead jobs already report.
pub(super) fn compare(krate: &CrateState, file: Option<&[u8]>, dead: &[i32]) -> Vec<Difference> {
    let contradictions: Vec<_> = krate.versions.iter().filter_map(|version| contradiction(krate, version)).collect();
    if !contradictions.is_empty() {
        return contradictions;
    }
    let kept = krate.versions.iter().filter(|version| !version.deletion_requested);
    let rendered = render(kept.map(|version| (&*version.index_line, version.desired_yanked))).unwrap_or_default();
    let is_rendered = file.unwrap_or_default() == rendered.as_bytes() && (file.is_some() != rendered.is_empty());
    if is_rendered && krate.versions.iter().all(is_as_desired) {
        return Vec::new();
    }
    let path = index_path(&krate.name);
    let lines = match Lines::read(file.unwrap_or_default()) {
        Ok(lines) => lines,
        Err((number, problem)) => {
            let found = format!("line {number}: {problem}");
            return vec![
                Difference::new(Kind::UnreadableIndexFile, found, "a JSON object with `vers` on each line")
                    .of_crate(&krate.name, krate.id)
                    .at(path),
            ];
        }
    };
    let mut differences = Vec::new();
    let file_is_missing =
        file.is_none() && krate.versions.iter().any(|one| !one.deletion_requested && one.effective_yanked.is_some());
    if file_is_missing {
        let expected = format!("{} lines", rendered.lines().count());
        differences.push(
            Difference::new(Kind::MissingIndexFile, "no file", expected).of_crate(&krate.name, krate.id).at(&path),
        );
    }
    for version in &krate.versions {
        let shown = lines.by_version.get(&version.num.to_string()).map_or(&[][..], Vec::as_slice);
        let found = of_version(version, shown, file_is_missing);
        differences.extend(
            found.into_iter().filter(|one| !(is_reported_by_job(one.kind) && dead.contains(&version.id))).map(
                |difference| difference.of_crate(&krate.name, krate.id).of_version(&version.num, version.id).at(&path),
            ),
        );
    }
    for unknown in lines.order.iter().filter(|num| krate.versions.iter().all(|one| one.num.to_string() != **num)) {
        let mut difference = Difference::new(Kind::LineWithoutRow, "a line", "a row in the database, or no line");
        difference.version = Some(unknown.clone());
        differences.push(difference.of_crate(&krate.name, krate.id).at(&path));
    }
    let is_explained = !differences.is_empty() || krate.versions.iter().any(|version| dead.contains(&version.id));
    if !is_explained && !is_rendered {
        let expected = format!("{} lines in the order of publication", rendered.lines().count());
        let found = format!("{} bytes instead of {}", file.map_or(0, <[u8]>::len), rendered.len());
        differences.push(Difference::new(Kind::FileDiffers, found, expected).of_crate(&krate.name, krate.id).at(&path));
    }
    differences
}

fn is_reported_by_job(kind: Kind) -> bool {
    matches!(kind, Kind::QueuedWithoutJob | Kind::YankWithoutJob | Kind::DeletionWithoutJob)
}

fn is_as_desired(version: &VersionState) -> bool {
    if version.deletion_requested {
        version.state == "deleted"
    } else {
        version.effective_yanked == Some(version.desired_yanked)
    }
}

/// The first contradiction between a row's index line, from which the index is rendered, and the columns that everything else
/// uses.
fn contradiction(krate: &CrateState, version: &VersionState) -> Option<Difference> {
    let unreadable = |found: String| {
        Difference::new(Kind::UnreadableRow, found, "an index line that matches the columns")
            .of_crate(&krate.name, krate.id)
            .of_version(&version.num, version.id)
    };
    if version.index_line.contains(['\n', '\r']) {
        return Some(unreadable("the column index_line has several lines".to_owned()));
    }
    let fields: Value = match serde_json::from_str(&version.index_line) {
        Ok(fields) => fields,
        Err(error) => return Some(unreadable(format!("the column index_line is not JSON: {error}"))),
    };
    if let Err(error) = with_yanked(&version.index_line, true) {
        return Some(unreadable(error.to_string()));
    }
    let (num, checksum) = (version.num.to_string(), version.checksum.to_string());
    for (field, value) in [("vers", &num), ("cksum", &checksum)] {
        let found = fields[field].as_str();
        if field == "cksum" && found != Some(value) && found.is_some_and(|text| text.eq_ignore_ascii_case(value)) {
            // An older import took it from another registry. cargo compares it as text.
            let difference = Difference::new(Kind::ManifestDiffers, format!("cksum {}", fields[field]), value);
            return Some(difference.of_crate(&krate.name, krate.id).of_version(&version.num, version.id));
        }
        if found != Some(value) {
            return Some(unreadable(format!("index_line has {field} {}, the column has {value}", fields[field])));
        }
    }
    None
}

fn of_version(version: &VersionState, lines: &[Line<'_>], file_is_missing: bool) -> Vec<Difference> {
    let line = lines.first();
    let mut differences = Vec::new();
    if lines.len() > 1 {
        differences.push(Difference::new(Kind::DuplicateLine, format!("{} lines", lines.len()), "one line"));
    }
    if version.deletion_requested {
        let is_deleted = version.state == "deleted";
        match line {
            Some(_) if is_deleted => differences.push(Difference::new(Kind::DeletedLine, "a line", "no line")),
            _ if !is_deleted => {
                differences.push(Difference::new(
                    Kind::DeletionWithoutJob,
                    version.state.as_str(),
                    "deleted, or a job",
                ));
            }
            _ => {}
        }
        return differences;
    }
    let Some(line) = line else {
        if version.effective_yanked.is_none() {
            differences.push(Difference::new(Kind::QueuedWithoutJob, "queued", "published, or a job"));
        } else if !file_is_missing {
            differences.push(Difference::new(Kind::MissingLine, "no line", "a line"));
        }
        return differences;
    };
    differences.extend(fields_differing(version, line));
    differences.extend(yank_states(version, line.yanked()));
    differences
}

/// The difference between a line and its row, except for `yanked`.
fn fields_differing(version: &VersionState, line: &Line<'_>) -> Option<Difference> {
    let expected = with_yanked(&version.index_line, line.yanked()).ok()?;
    if expected == line.text {
        return None;
    }
    let row: Value = serde_json::from_str(&expected).ok()?;
    let (row, shown) = (row.as_object()?, line.fields.as_object()?);
    let names: std::collections::BTreeSet<&String> = row.keys().chain(shown.keys()).collect();
    let differing: Vec<&String> = names.into_iter().filter(|name| row.get(*name) != shown.get(*name)).collect();
    let listed = |fields: &serde_json::Map<String, Value>| {
        let one = |name: &&String| format!("{name}: {}", fields.get(name.as_str()).unwrap_or(&Value::Null));
        differing.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    Some(if differing.is_empty() {
        Difference::new(Kind::LineDiffers, "the same fields in other bytes", "the bytes that were published")
    } else {
        Difference::new(Kind::LineDiffers, listed(shown), listed(row))
    })
}

/// The state of a yanked version in a [`Difference`].
pub const YANKED: &str = "yanked";

fn yank_states(version: &VersionState, shown: bool) -> Option<Difference> {
    let name = |yanked: Option<bool>| match yanked {
        Some(true) => YANKED,
        Some(false) => "not yanked",
        None => "queued",
    };
    let desired = version.desired_yanked;
    match version.effective_yanked {
        Some(effective) if effective == desired && shown == desired => None,
        Some(effective) if effective == desired => {
            Some(Difference::new(Kind::YankedDiffers, name(Some(shown)), name(Some(desired))))
        }
        Some(effective) if effective == shown => {
            Some(Difference::new(Kind::YankWithoutJob, name(Some(shown)), format!("{}, or a job", name(Some(desired)))))
        }
        effective => Some(Difference::new(
            Kind::EffectiveDiffers,
            format!("{} in the database", name(effective)),
            format!("{}, as in the index", name(Some(shown))),
        )),
    }
}

impl<'a> Lines<'a> {
    /// Parses the lines. The error is the number of the line that cannot be parsed, and why.
    fn read(file: &'a [u8]) -> Result<Self, (usize, String)> {
        let mut lines = Lines { by_version: HashMap::new(), order: Vec::new() };
        for (place, bytes) in file.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let wrong = |problem: String| (place + 1, problem);
            let text = str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
            let fields: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
            let vers = fields["vers"].as_str().ok_or_else(|| wrong("`vers` is missing".to_owned()))?.to_owned();
            if !matches!(fields["yanked"], Value::Null | Value::Bool(_)) {
                return Err(wrong("`yanked` is neither true nor false".to_owned()));
            }
            if !lines.by_version.contains_key(&vers) {
                lines.order.push(vers.clone());
            }
            lines.by_version.entry(vers).or_default().push(Line { text, fields });
        }
        Ok(lines)
    }
}

/// The difference between the file that is noted of a crate and that at the head, which is as desired.
pub(super) fn compare_noted(krate: &CrateState, file: Option<&IndexFile>) -> Option<Difference> {
    let noted = krate.noted.as_ref()?;
    let last_id = krate.versions.iter().filter(|one| one.effective_yanked.is_some()).map(|one| one.id).max();
    let found = file.map(|file| (file.id.to_string(), file.content.len()));
    let is_right = found.as_ref().is_some_and(|(blob, size)| {
        *blob == noted.index_blob
            && i64::try_from(*size) == Ok(noted.index_bytes)
            && last_id <= Some(noted.index_last_id)
    });
    if is_right {
        return None;
    }
    let shown = |blob: &str, size: &dyn Display, last_id: &dyn Display| {
        format!("blob {blob} of {size} bytes, up to version id {last_id}")
    };
    let expected = match &found {
        Some((blob, size)) => shown(blob, size, &last_id.unwrap_or_default()),
        None => "no file".to_owned(),
    };
    let noted = shown(&noted.index_blob, &noted.index_bytes, &noted.index_last_id);
    let difference = Difference::new(Kind::NotedFileDiffers, noted, expected);
    Some(difference.of_crate(&krate.name, krate.id).at(index_path(&krate.name)))
}

/// The difference between a crate's derived columns and its versions. A crate that is to be described has none: its columns
/// may be older, and follow soon.
pub(super) fn compare_derived(krate: &CrateState) -> Option<Difference> {
    if krate.is_to_be_described {
        return None;
    }
    let mut differing = krate.derived.differing(&krate.following);
    let is_shown = krate.following.versions.version_count > 0;
    if krate.is_searched != is_shown {
        differing.push("the search entry");
    }
    if krate.is_listed != is_shown {
        differing.push("the list entry");
    }
    if !krate.is_dependent {
        differing.push("the crates that it is a dependent of");
    }
    (!differing.is_empty()).then(|| {
        Difference::new(Kind::DerivedDiffers, differing.join(", "), "values derived from its versions")
            .of_crate(&krate.name, krate.id)
    })
}
