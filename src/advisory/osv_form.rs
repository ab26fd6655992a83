//! An advisory of RustSec in the form of OSV, as osv.dev has it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::document::own_page;
use super::front_matter::{FrontMatter, Metadata};
use super::osv::ECOSYSTEM;
use super::ranges::Ranges;

/// The version of the form.
pub(super) const SCHEMA: &str = "1.7.0";

pub(super) fn osv_form(
    of: &FrontMatter,
    ranges: &Ranges,
    (title, description): (&str, &str),
    (published, withdrawn): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Value {
    let metadata = &of.advisory;
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut document = json!({
        "schema_version": SCHEMA,
        "id": metadata.id,
        "modified": time(withdrawn.unwrap_or(published)),
        "published": time(published),
        "aliases": metadata.aliases,
        "related": metadata.related,
        "summary": title,
        "details": description,
        "severity": metadata.cvss.as_deref().map(severity).into_iter().collect::<Vec<_>>(),
        "affected": [{
            "package": package(metadata),
            "ranges": [{ "type": "SEMVER", "events": events(ranges) }],
            "versions": [],
            "ecosystem_specific": { "affects": of.affected },
            "database_specific": {
                "categories": metadata.categories, "cvss": metadata.cvss, "informational": metadata.informational,
            },
        }],
        "references": references(of),
        "database_specific": { "keywords": metadata.keywords, "license": metadata.license.as_deref().unwrap_or("CC0-1.0") },
    });
    if let Some(at) = withdrawn {
        document["withdrawn"] = time(at).into();
    }
    document
}

/// The crate. One of another registry has its place in the name of the ecosystem, as Maven's repositories have.
fn package(of: &Metadata) -> Value {
    let name = &of.package;
    let (ecosystem, purl) = match &of.source {
        None => (ECOSYSTEM.to_owned(), format!("pkg:cargo/{name}")),
        Some(source) => {
            let place = source.split_once('+').map_or(&**source, |(_, place)| place);
            let encoded: String = url::form_urlencoded::byte_serialize(place.as_bytes()).collect();
            (format!("{ECOSYSTEM}:{place}"), format!("pkg:cargo/{name}?repository_url={encoded}"))
        }
    };
    json!({ "ecosystem": ecosystem, "name": name, "purl": purl })
}

fn severity(vector: &str) -> Value {
    let kind = if vector.starts_with("CVSS:4") { "CVSS_V4" } else { "CVSS_V3" };
    json!({ "type": kind, "score": vector })
}

/// The events at which versions begin and cease to be affected.
pub(super) fn events(ranges: &Ranges) -> Vec<Value> {
    let (intervals, _) = ranges.affected();
    let events = intervals.iter().flat_map(|interval| {
        let introduced = interval.from.as_ref().map_or_else(|| "0.0.0-0".to_owned(), ToString::to_string);
        let fixed = interval.below.as_ref().map(|below| json!({ "fixed": below }));
        [Some(json!({ "introduced": introduced })), fixed].into_iter().flatten()
    });
    events.collect()
}

fn references(of: &FrontMatter) -> Vec<Value> {
    let metadata = &of.advisory;
    let mut references = Vec::new();
    if metadata.source.is_none() {
        let package = format!("https://crates.io/crates/{}", metadata.package);
        references.push(json!({ "type": "PACKAGE", "url": package }));
    }
    references.extend(own_page(&metadata.id).map(|page| json!({ "type": "ADVISORY", "url": page })));
    let others = metadata.url.iter().chain(&metadata.references);
    references.extend(others.map(|url| json!({ "type": "WEB", "url": url })));
    references
}
