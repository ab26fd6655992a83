//! Security advisories about the crates of upstreams (`--advisories`).

mod cargo;
mod own;
mod pages;
mod policy;
mod sources;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::process::Served;

/// Before any cooldown.
const OLD: &str = "2024-01-01T00:00:00Z";
const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const HIGH: &str = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
const OFTEN: [&str; 2] = ["--advisories-refresh", "50ms"];

/// A file of RustSec's database about `foo`. `more` are lines of its first table.
fn rustsec(number: u32, patched: &str, more: &str) -> String {
    format!(
        "```toml\n[advisory]\nid = \"RUSTSEC-2026-{number:04}\"\npackage = \"foo\"\ndate = \"2026-02-03\"\n\
         url = \"https://example.com/foo/issues/{number}\"\ncategories = [\"memory-corruption\"]\nfrom_the_future = true\n{more}\n\n\
         [versions]\npatched = [{patched}]\n```\n\n# Overflow {number} in `foo`\n\nIt overflows if it is asked *nicely*.\n"
    )
}

/// A document of OSV about a crate.
fn osv(id: &str, name: &str, events: &Value) -> Value {
    json!({
        "schema_version": "1.7.0", "id": id, "modified": "2026-02-03T00:00:00Z", "summary": format!("Trouble in {name}"),
        "affected": [{
            "package": { "ecosystem": "crates.io", "name": name },
            "ranges": [{ "type": "SEMVER", "events": events }],
        }],
        "references": [{ "type": "ADVISORY", "url": format!("https://example.com/{id}") }],
        "of_the_future": 1,
    })
}

fn write(directory: &Path, file: &str, content: impl AsRef<[u8]>) {
    let path = directory.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // As a whole: it is read at any time.
    let written = path.with_extension("written");
    std::fs::write(&written, content).unwrap();
    std::fs::rename(written, path).unwrap();
}

/// A registry with an upstream `other`, whose advisories come from a source.
fn served(upstream: &FaultyUpstream, source: &str, arguments: &[&str]) -> Served {
    let (upstream, source) = (format!("other={}", upstream.sparse()), format!("other={source}"));
    let often = if arguments.contains(&OFTEN[0]) { &[] } else { &OFTEN[..] };
    Served::start(
        &[&["--upstream", &upstream, "--advisories", &source, "--upstream-fresh", "10ms"], often, arguments].concat(),
    )
}

/// What is known of the source.
fn status(served: &Served) -> Value {
    let all: Value = serde_json::from_str(&served.run("advisory status", &["--json"])).unwrap();
    all[0].clone()
}

/// The ids of the advisories that count.
fn known(served: &Served) -> Vec<String> {
    let all: Value = serde_json::from_str(&served.run("advisory list", &["--json"])).unwrap();
    all.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn wait_until_known(served: &Served, ids: &[&str]) {
    wait_until(&format!("the advisories {ids:?}"), || known(served) == ids);
}
