//! What becomes of versions that an advisory affects.

use chrono::Utc;
use serde_json::{Value, json};

use super::{CRITICAL, HIGH, OLD, osv, rustsec, served, wait_until_known, write};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::Served;

fn index(served: &Served) -> Reply {
    http::get(&format!("{}/upstream/other/index/3/f/foo", served.url)).good()
}

/// The versions that the index shows; those that are yanked end in `!`.
fn shown(served: &Served) -> String {
    let version = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{}{}", line["vers"].as_str().unwrap(), if line["yanked"] == true { "!" } else { "" })
    };
    index(served).text().lines().map(version).collect::<Vec<_>>().join(" ")
}

fn wait_until_shown(served: &Served, versions: &str) {
    wait_until(versions, || shown(served) == versions);
}

fn download(served: &Served, version: &str) -> Reply {
    http::get(&format!("{}/upstream/other/api/v1/crates/foo/{version}/download", served.url))
}

fn advisories(served: &Served, of: &str) -> Value {
    http::get(&format!("{}/upstream/other/api/v1/crates/{of}/advisories", served.url)).good().json()["advisories"]
        .clone()
}

fn upstream(versions: &[&str]) -> FaultyUpstream {
    let upstream = FaultyUpstream::start();
    for version in versions {
        upstream.add(&Package::new("foo", version), OLD);
    }
    upstream
}

#[test]
fn a_version_is_hidden_or_refused_by_the_severity_of_its_advisory() {
    let (upstream, directory) = (upstream(&["1.0.0", "1.1.0", "1.2.0"]), tempfile::tempdir().unwrap());
    let path = directory.path();
    let critical = format!("cvss = \"{CRITICAL}\"");
    write(path, "crates/foo/RUSTSEC-2026-0001.md", rustsec(1, "\">= 1.1.0\"", &critical));
    write(path, "crates/foo/RUSTSEC-2026-0002.md", rustsec(2, "\">= 1.2.0\"", &format!("cvss = \"{HIGH}\"")));
    write(path, "crates/foo/RUSTSEC-2026-0003.md", rustsec(3, "", "informational = \"unmaintained\""));
    let served =
        served(&upstream, path.to_str().unwrap(), &["--advisory-policy", "critical=refuse,high=hide,unrated=refuse"]);
    wait_until_shown(&served, "1.0.0! 1.1.0! 1.2.0");
    let refused = download(&served, "1.0.0");
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.text(),
        "foo@1.0.0 is not delivered by this registry: RUSTSEC-2026-0001 (critical) affects it: Overflow 1 in `foo` \
         (https://rustsec.org/advisories/RUSTSEC-2026-0001.html). Use >= 1.1.0, or ask the operator of this registry\n"
    );
    download(&served, "1.1.0").good();
    download(&served, "1.2.0").good();
    let tag = index(&served).header("etag").to_owned();
    let of_crate = advisories(&served, "Foo");
    let all: Vec<_> =
        of_crate.as_array().unwrap().iter().map(|one| [&one["id"], &one["action"]].map(Value::clone)).collect();
    assert_eq!(
        json!(all),
        json!([["RUSTSEC-2026-0003", "warn"], ["RUSTSEC-2026-0002", "hide"], ["RUSTSEC-2026-0001", "refuse"]])
    );
    assert_eq!(of_crate[2]["affected"], json!([{ "from": null, "below": "1.1.0" }]));
    let of_version = advisories(&served, "foo/1.1.0");
    assert_eq!((&of_version[0]["informational"], of_version.as_array().unwrap().len()), (&json!("unmaintained"), 2));
    // What people decide counts first.
    served.run("upstream allow", &["other", "foo@1.0.0", "--reason", "it is never reached"]);
    wait_until_shown(&served, "1.0.0 1.1.0! 1.2.0");
    download(&served, "1.0.0").good();
    assert_ne!(index(&served).header("etag"), tag);
    served.run("upstream release", &["other", "foo@1.0.0"]);
    wait_until_shown(&served, "1.0.0! 1.1.0! 1.2.0");
    // Also if it is kept.
    assert_eq!(download(&served, "1.0.0").status, 403);
    write(
        path,
        "crates/foo/RUSTSEC-2026-0001.md",
        rustsec(1, "\">= 1.1.0\"", &format!("{critical}\nwithdrawn = \"2026-03-01\"")),
    );
    wait_until_known(&served, &["RUSTSEC-2026-0003", "RUSTSEC-2026-0002"]);
    wait_until("the version", || download(&served, "1.0.0").status == 200);
    // The other one affects it as well.
    wait_until_shown(&served, "1.0.0! 1.1.0! 1.2.0");
    let metrics = http::get(&format!("{}/metrics", served.url)).good().text();
    let counted = "supercargo_upstream_crate_files_total{upstream=\"other\",outcome=\"vulnerable\"} ";
    let vulnerable = metrics.lines().find_map(|line| line.strip_prefix(counted)).unwrap();
    assert!(vulnerable.parse::<u32>().unwrap() >= 2, "{vulnerable}");
}

#[test]
fn a_severity_without_an_action_only_warns() {
    let (upstream, directory) = (upstream(&["1.0.0", "1.1.0"]), tempfile::tempdir().unwrap());
    let all = osv("GHSA-1", "foo", &json!([{ "introduced": "0" }]));
    write(directory.path(), "GHSA-1.json", all.to_string());
    let mut high = osv("GHSA-2", "foo", &json!([{ "introduced": "1.1.0" }]));
    high["severity"] = json!([{ "type": "CVSS_V3", "score": HIGH }]);
    write(directory.path(), "GHSA-2.json", high.to_string());
    let served = served(&upstream, directory.path().to_str().unwrap(), &["--advisory-policy", "high=hide"]);
    // Both are read at the same time.
    wait_until_shown(&served, "1.0.0 1.1.0!");
    assert_eq!(advisories(&served, "foo/1.0.0")[0]["action"], "warn");
    download(&served, "1.0.0").good();
}

#[test]
fn only_the_version_that_an_advisory_names_as_patched_passes_while_it_is_young() {
    let (upstream, directory) = (upstream(&["1.0.0"]), tempfile::tempdir().unwrap());
    let path = directory.path();
    let now = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for version in ["0.9.1", "1.2.3", "1.2.4"] {
        upstream.add(&Package::new("foo", version), &now);
    }
    write(path, "crates/foo/RUSTSEC-2026-0001.md", rustsec(1, "\"> 0.9.0, < 0.10.0\"", ""));
    let served = served(&upstream, path.to_str().unwrap(), &["--cooldown", "3days"]);
    wait_until_known(&served, &["RUSTSEC-2026-0001"]);
    wait_until_shown(&served, "1.0.0 0.9.1! 1.2.3! 1.2.4!");
    assert!(download(&served, "1.2.3").text().contains("foo@1.2.3 is too young"));
    // One that is informational names none, and neither does one that is withdrawn.
    write(path, "crates/foo/RUSTSEC-2026-0002.md", rustsec(2, "\">= 1.2.3\"", "informational = \"unsound\""));
    write(path, "crates/foo/RUSTSEC-2026-0003.md", rustsec(3, "\">= 1.2.3\"", "withdrawn = \"2026-03-01\""));
    write(path, "crates/foo/RUSTSEC-2026-0004.md", rustsec(4, "\">= 1.2.4\", \"< 1.2.4\"", ""));
    wait_until_known(&served, &["RUSTSEC-2026-0004", "RUSTSEC-2026-0002", "RUSTSEC-2026-0001"]);
    // The first one affects 1.2.4, as all from 0.10.0 on. The fourth one affects nothing and names 1.2.4 alone.
    std::fs::remove_file(path.join("crates/foo/RUSTSEC-2026-0001.md")).unwrap();
    wait_until_shown(&served, "1.0.0 0.9.1! 1.2.3! 1.2.4");
    std::fs::remove_file(path.join("crates/foo/RUSTSEC-2026-0004.md")).unwrap();
    write(path, "crates/foo/RUSTSEC-2026-0005.md", rustsec(5, "\">= 1.2.3\"", ""));
    wait_until_shown(&served, "1.0.0 0.9.1! 1.2.3 1.2.4!");
    download(&served, "1.2.3").good();
    assert!(download(&served, "1.2.4").text().contains("foo@1.2.4 is too young"));
}
