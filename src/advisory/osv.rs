//! Advisories in the form of OSV. Unknown fields are kept in the document.

use chrono::{DateTime, Utc};
use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use super::cvss_severity::Severity;
use super::document::{Advisory, id, title, url};
use super::interval::{Interval, next};
use super::ranges::Ranges;
use super::read_error::{MAX_CRATES, ReadError};

/// The name of crates.io among the ecosystems.
pub(super) const ECOSYSTEM: &str = "crates.io";

#[derive(Deserialize)]
struct Document {
    id: String,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    severity: Option<Vec<Score>>,
    #[serde(default)]
    affected: Option<Vec<Affected>>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Deserialize)]
struct Score {
    score: String,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(default)]
    package: Option<Package>,
    #[serde(default)]
    severity: Option<Vec<Score>>,
    #[serde(default)]
    ranges: Option<Vec<Range>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "type", default)]
    kind: String,
    url: String,
}

pub(super) fn read(text: &str) -> Result<Advisory, ReadError> {
    let json = |error: serde_json::Error| ReadError::Json(error.to_string());
    let document: Value = serde_json::from_str(text).map_err(json)?;
    let read = Document::deserialize(&document).map_err(json)?;
    let id = id(&read.id)?;
    let affected = read.affected.unwrap_or_default();
    let (crates, of_crates) = crates(&affected)?;
    let severity = severity(&id, read.severity.as_deref(), &of_crates, &read.database_specific);
    let informational = of_crates.iter().find_map(|one| word(&one.database_specific, "informational"));
    Ok(Advisory {
        title: heading(&id, read.summary.as_deref(), read.details.as_deref()),
        url: link(&read.references.unwrap_or_default()),
        severity,
        informational: informational.or_else(|| word(&read.database_specific, "informational")),
        withdrawn: read.withdrawn.map(|text| time(&text)).transpose()?,
        crates,
        id,
        document,
    })
}

/// Crates with their affected versions.
type Crates = Vec<(String, Ranges)>;

/// The crates of crates.io, each with all of its ranges, and what is said of them.
fn crates(affected: &[Affected]) -> Result<(Crates, Vec<&Affected>), ReadError> {
    let mut crates: Vec<(String, Vec<&Affected>)> = Vec::new();
    let mut all = Vec::new();
    for one in affected {
        let package = one.package.as_ref().filter(|package| package.ecosystem == ECOSYSTEM);
        let Some(Package { name, .. }) = package else { continue };
        all.push(one);
        match crates.iter_mut().find(|(known, _)| known == name) {
            Some((_, parts)) => parts.push(one),
            None => crates.push((name.clone(), vec![one])),
        }
    }
    if crates.is_empty() {
        return Err(ReadError::NoCrate);
    }
    if crates.len() > MAX_CRATES {
        return Err(ReadError::TooManyCrates);
    }
    let read: Result<Vec<_>, _> =
        crates.into_iter().map(|(name, parts)| ranges(&name, &parts).map(|ranges| (name, ranges))).collect();
    Ok((read?, all))
}

fn ranges(name: &str, parts: &[&Affected]) -> Result<Ranges, ReadError> {
    let (mut intervals, mut fixed, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        // Those of git are about commits.
        for range in part.ranges.iter().flatten().filter(|range| range.kind != "GIT") {
            intervals_of(&range.events, &mut intervals, &mut fixed)?;
        }
        for listed in part.versions.iter().flatten() {
            versions.push(version(listed)?);
        }
    }
    if intervals.is_empty() && versions.is_empty() {
        return Err(ReadError::NoVersions(name.to_owned()));
    }
    Ranges::of(intervals, versions, fixed)
}

/// Which event comes at a version: what ends an interval before what begins one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Fixed,
    AfterLast,
    Introduced,
}

/// The intervals between events, which need not be in their order.
fn intervals_of(events: &[Event], intervals: &mut Vec<Interval>, fixed: &mut Vec<Version>) -> Result<(), ReadError> {
    let mut sorted: Vec<(Option<Version>, At)> = Vec::with_capacity(events.len());
    for event in events {
        if let Some(text) = &event.introduced {
            sorted.push((if text == "0" { None } else { Some(version(text)?) }, At::Introduced));
        }
        if let Some(text) = &event.fixed {
            let version = version(text)?;
            fixed.push(version.clone());
            sorted.push((Some(version), At::Fixed));
        }
        if let Some(text) = &event.last_affected {
            let last = version(text)?;
            sorted.push((next(&last), At::AfterLast));
        }
    }
    sorted.sort_by(|(one, what), (other, of_other)| match (one, other) {
        (Some(one), Some(other)) => one.cmp_precedence(other).then(what.cmp(of_other)),
        (one, other) => one.is_some().cmp(&other.is_some()),
    });
    let mut open: Option<Option<Version>> = None;
    for (at, what) in sorted {
        match what {
            At::Introduced => open = open.or(Some(at)),
            At::Fixed | At::AfterLast => {
                if let Some(from) = open.take() {
                    intervals.push(Interval { from, below: at });
                }
            }
        }
    }
    intervals.extend(open.map(|from| Interval { from, below: None }));
    Ok(())
}

fn version(text: &str) -> Result<Version, ReadError> {
    let shortened = || text.chars().take(80).collect();
    Version::parse(text).map_err(|error| ReadError::Version(shortened(), error.to_string()))
}

/// The highest one that is given. What is known to be malicious has no vector.
fn severity(id: &str, scores: Option<&[Score]>, crates: &[&Affected], specific: &Value) -> Severity {
    let of_crates = crates.iter().flat_map(|one| one.severity.iter().flatten());
    let vectors = scores.into_iter().flatten().chain(of_crates).map(|score| Severity::of_vector(&score.score));
    let of_cvss = crates.iter().filter_map(|one| one.database_specific["cvss"].as_str()).map(Severity::of_vector);
    let malicious = if id.starts_with("MAL-") { Severity::Critical } else { Severity::Unrated };
    let rated = vectors.chain(of_cvss).max().unwrap_or_default().max(malicious);
    match rated {
        Severity::Unrated => specific["severity"].as_str().map(Severity::of_word).unwrap_or_default(),
        rated => rated,
    }
}

fn word(specific: &Value, field: &str) -> Option<String> {
    specific[field].as_str().map(title).filter(|word| !word.is_empty())
}

fn heading(id: &str, summary: Option<&str>, details: Option<&str>) -> String {
    let first_line = || details.and_then(|details| details.lines().map(title).find(|line| !line.is_empty()));
    summary.map(title).filter(|summary| !summary.is_empty()).or_else(first_line).unwrap_or_else(|| id.to_owned())
}

fn link(references: &[Reference]) -> Option<String> {
    let advisories = references.iter().filter(|reference| reference.kind == "ADVISORY");
    advisories.chain(references).find_map(|reference| url(&reference.url))
}

fn time(text: &str) -> Result<DateTime<Utc>, ReadError> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| ReadError::Date(text.chars().take(80).collect()))?;
    Ok(time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(affected: &Value) -> Value {
        json!({
            "schema_version": "1.7.0", "id": "GHSA-aaaa-bbbb-cccc", "modified": "2026-02-01T00:00:00Z", "summary": "A\nleak",
            "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
            "affected": affected, "references": [
                { "type": "WEB", "url": "https://example.com/blog" }, { "type": "ADVISORY", "url": "https://example.com/a" },
            ],
            "from_the_future": { "kept": [1] },
        })
    }

    fn of_foo(events: &Value) -> Value {
        json!([
            { "package": { "ecosystem": "npm", "name": "foo" }, "versions": ["not one"] },
            { "package": { "ecosystem": "crates.io", "name": "foo" }, "ranges": [{ "type": "SEMVER", "events": events }] },
        ])
    }

    fn affected(events: &Value) -> Vec<&'static str> {
        let read = read(&document(&of_foo(events)).to_string()).unwrap();
        let all = ["0.1.0", "1.0.0", "1.2.3-rc.1", "1.2.3", "1.2.4-0", "1.2.4", "2.0.0", "2.1.0"];
        all.into_iter().filter(|version| read.crates[0].1.affects(&version.parse().unwrap())).collect()
    }

    #[test]
    fn events_are_intervals_in_any_order() {
        assert_eq!(affected(&json!([{ "introduced": "0" }])).len(), 8);
        assert_eq!(affected(&json!([{ "fixed": "1.2.3" }, { "introduced": "0" }])), ["0.1.0", "1.0.0", "1.2.3-rc.1"]);
        assert_eq!(
            affected(&json!([{ "introduced": "1.0.0" }, { "last_affected": "1.2.3" }])),
            ["1.0.0", "1.2.3-rc.1", "1.2.3"]
        );
        let twice =
            json!([{ "introduced": "0.0.0-0" }, { "fixed": "1.0.0" }, { "introduced": "2.0.0" }, { "fixed": "2.1.0" }]);
        assert_eq!(affected(&twice), ["0.1.0", "2.0.0"]);
        assert_eq!(affected(&json!([{ "introduced": "2.0.0" }, { "introduced": "2.1.0" }])), ["2.0.0", "2.1.0"]);
    }

    #[test]
    fn a_document_is_read_and_kept_with_what_is_unknown() {
        let text = document(&of_foo(&json!([{ "introduced": "0" }, { "fixed": "1.2.3" }]))).to_string();
        let read = read(&text).unwrap();
        assert_eq!((&*read.id, &*read.title, read.severity), ("GHSA-aaaa-bbbb-cccc", "A leak", Severity::Critical));
        assert_eq!(read.url.as_deref(), Some("https://example.com/a"));
        assert_eq!(read.crates.len(), 1);
        assert_eq!(read.crates[0].1.patched(), [">=1.2.3"]);
        assert!(read.crates[0].1.names_as_mended(&"1.2.3".parse().unwrap()));
        assert_eq!(read.document["from_the_future"]["kept"][0], 1);
        assert!(read.counts());
        let mut withdrawn = document(&of_foo(&json!([{ "introduced": "0" }])));
        withdrawn["withdrawn"] = json!("2026-03-01T00:00:00+01:00");
        assert!(!super::read(&withdrawn.to_string()).unwrap().counts());
        let mut unsound = document(&of_foo(&json!([{ "introduced": "0" }])));
        unsound["affected"][1]["database_specific"] = json!({ "informational": "unsound", "cvss": null });
        let unsound = super::read(&unsound.to_string()).unwrap();
        assert_eq!((unsound.informational.as_deref(), unsound.counts()), (Some("unsound"), false));
    }

    #[test]
    fn severities_come_from_vectors_words_and_ids() {
        let severity = |change: &dyn Fn(&mut Value)| {
            let mut document = document(&of_foo(&json!([{ "introduced": "0" }])));
            document["severity"] = json!(null);
            change(&mut document);
            read(&document.to_string()).unwrap().severity
        };
        assert_eq!(severity(&|_| {}), Severity::Unrated);
        assert_eq!(
            severity(&|document| document["database_specific"] = json!({ "severity": "MODERATE" })),
            Severity::Medium
        );
        assert_eq!(severity(&|document| document["id"] = json!("MAL-2026-1")), Severity::Critical);
        let vector = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
        let of_crate = |document: &mut Value| {
            document["affected"][1]["severity"] = json!([{ "type": "CVSS_V3", "score": vector }])
        };
        assert_eq!(severity(&of_crate), Severity::High);
        let specific = |document: &mut Value| document["affected"][1]["database_specific"] = json!({ "cvss": vector });
        assert_eq!(severity(&specific), Severity::High);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let refused = |document: Value| read(&document.to_string()).unwrap_err().to_string();
        assert!(refused(json!([])).starts_with("it is no JSON of an advisory"));
        assert_eq!(refused(document(&json!([]))), "it is about no crate of crates.io");
        assert_eq!(refused(document(&of_foo(&json!([])))), "it does not say which versions of foo are affected");
        assert!(refused(document(&of_foo(&json!([{ "introduced": "new" }])))).starts_with("\"new\" is no version"));
        let mut named = document(&of_foo(&json!([{ "introduced": "0" }])));
        named["id"] = json!("../../etc/passwd");
        assert!(refused(named.clone()).starts_with("its id \"../../etc/passwd\""));
        named["id"] = json!("OK-1");
        named["withdrawn"] = json!("yesterday");
        assert_eq!(refused(named), "\"yesterday\" is no date");
        let many: Vec<Value> = (0..3000).map(|patch| json!(format!("1.0.{patch}"))).collect();
        let listed = json!([{ "package": { "ecosystem": "crates.io", "name": "foo" }, "versions": many }]);
        assert!(refused(document(&listed)).contains("more than 2000"));
    }
}
