//! The real cargo, and versions that an advisory affects.

use chrono::Utc;

use super::{CRITICAL, HIGH, OLD, rustsec, write};
use crate::support::cargo::Cargo;
use crate::support::event::wait_until;
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn library(version: &str) -> Package {
    let mut package = Package::new("foo", version);
    let code = format!("pub fn version() -> &'static str {{ \"foo {version}\" }}\n");
    package.files = vec![("src/lib.rs".to_owned(), code.into_bytes())];
    package
}

fn user_of(cargo: &Cargo, requirement: &str) {
    let dependencies = format!("[dependencies]\nfoo = \"{requirement}\"\n");
    cargo.binary("user", &dependencies, "fn main() { println!(\"{}\", foo::version()); }\n");
}

#[test]
fn cargo_goes_around_hidden_versions_takes_the_patched_one_and_says_why_one_is_refused() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    let now = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        upstream.add(&library(version), OLD);
    }
    // 1.0.0 is refused, and 1.1.0 and 1.2.0 are hidden; 1.0.1 mends the first, and 1.2.1 both.
    for version in ["1.0.1", "1.2.1", "1.2.2"] {
        upstream.add(&library(version), &now);
    }
    let path = directory.path();
    write(path, "crates/foo/RUSTSEC-2026-0001.md", rustsec(1, "\">= 1.0.1\"", &format!("cvss = \"{CRITICAL}\"")));
    write(
        path,
        "crates/foo/RUSTSEC-2026-0002.md",
        rustsec(2, "\">= 1.2.1\"", &format!("cvss = \"{HIGH}\"\naliases = []")),
    );
    let (of, source) = (format!("crates-io={}", upstream.sparse()), path.to_str().unwrap());
    let arguments = [
        "--upstream",
        &of,
        "--advisories",
        source,
        "--cooldown",
        "3days",
        "--advisory-policy",
        "critical=refuse,high=hide",
    ];
    let served = Served::start(&arguments);
    let shows = |version: &str, yanked: bool| {
        let lines = http::index_lines(&format!("{}/upstream/crates-io", served.url), "3/f/foo");
        lines.iter().any(|line| line["vers"] == version && line["yanked"] == yanked)
    };
    wait_until("the patched version", || shows("1.2.1", false));
    assert!(shows("1.2.2", true) && shows("1.2.0", true));

    // A fresh resolve takes the patched version, although it is young, and no later one.
    let cargo = Cargo::through(&served.url);
    user_of(&cargo, "1");
    assert!(cargo.good("user", &["run"]).contains("foo 1.2.1"));

    // A lock file with a hidden version builds; one with a refused version does not, and says what to use.
    let direct = Cargo::replacing_crates_io(&upstream.sparse());
    for (version, refused) in [("1.1.0", false), ("1.0.0", true)] {
        user_of(&direct, &format!("={version}"));
        let _ = std::fs::remove_file(direct.path("user/Cargo.lock"));
        direct.good("user", &["generate-lockfile"]);
        user_of(&cargo, &format!("={version}"));
        cargo.write("user/Cargo.lock", &std::fs::read_to_string(direct.path("user/Cargo.lock")).unwrap());
        if refused {
            let said = cargo.bad("user", &["build", "--locked"]);
            for part in ["403", "foo@1.0.0 is not delivered", "RUSTSEC-2026-0001 (critical)", "Use >= 1.0.1"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        } else {
            assert!(cargo.good("user", &["run", "--locked"]).contains(&format!("foo {version}")));
        }
    }
    assert_eq!(upstream.count("/dl/foo/1.0.0"), 0);
}
