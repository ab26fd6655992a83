//! Names that a crate of this registry and one of another registry have.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;
use supercargo::package::Policy;
use supercargo::package::policy::UpstreamNames;

use super::depending;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::harness::{Answer, TestRegistry};
use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded};

const OLD: &str = "2024-01-01T00:00:00Z";

/// An upstream with `acme-tls`, and a registry through which it is reached under the name `other`.
fn served(arguments: &[&str]) -> (FaultyUpstream, Served) {
    let upstream = FaultyUpstream::start();
    upstream.add(&Package::new("acme-tls", "1.0.0"), OLD);
    let served = Served::start(&[&["--upstream", &format!("other={}", upstream.sparse())], arguments].concat());
    (upstream, served)
}

fn publish(served: &Served, token: &str, name: &str, version: &str) -> Reply {
    http::publish(&served.url, token, &Package::new(name, version))
}

#[test]
fn a_new_name_that_an_upstream_has_is_a_warning_and_one_that_cannot_be_looked_up_is_another() {
    let (upstream, served) = served(&[]);
    let token = served.token("ann");
    let advice = |name: &str, version: &str| publish(&served, &token, name, version).good().advice();
    let taken = advice("acme_tls", "1.0.0");
    assert_eq!(taken.len(), 1, "{taken:?}");
    let said = "other has a crate named `acme-tls` as well as this registry: a Cargo.toml that names no registry gets the other one";
    assert!(taken[0].starts_with(said), "{taken:?}");
    // Only a new name is looked up, and once.
    assert_eq!(advice("acme_tls", "1.1.0"), [""; 0]);
    assert_eq!(advice("mine", "1.0.0"), [""; 0]);
    assert_eq!((upstream.count("/index/ac/me/acme-tls"), upstream.count("/index/mi/ne/mine")), (1, 1));
    upstream.set("/index/br/ok/broken", Behaviour::status(500));
    let unknown = advice("broken", "1.0.0");
    assert!(unknown[0].starts_with("it is not known whether other has a crate named `broken` ("), "{unknown:?}");
    assert!(unknown[0].contains("answered 500"), "{unknown:?}");
    upstream.set("/index/si/le/silent", Behaviour::Stall);
    let unknown = advice("silent", "1.0.0");
    assert!(unknown[0].contains("(no answer in 3s)"), "{unknown:?}");
}

#[test]
fn such_a_name_is_refused_if_an_operator_says_so_and_an_admin_may_publish_it() {
    let (upstream, served) = served(&["--upstream-names", "refuse"]);
    let (ann, root) = (served.token("ann"), served.token("root"));
    served.run("admin user promote", &["root"]);
    let refused = publish(&served, &ann, "acme_tls", "1.0.0");
    assert_eq!(refused.status, 400, "{}", refused.text());
    let said = "other has a crate named `acme-tls`, and this registry refuses such a name for `acme_tls`: choose a name that no one \
                else has, or let an admin publish the first version";
    assert!(refused.text().contains(said), "{}", refused.text());
    upstream.set("/index/br/ok/broken", Behaviour::status(500));
    let unknown = publish(&served, &ann, "broken", "1.0.0");
    assert_eq!((unknown.status, unknown.retry_after.is_some()), (503, true), "{}", unknown.text());
    assert!(unknown.text().contains("nothing was published"), "{}", unknown.text());
    upstream.remove("/index/br/ok/broken");
    assert_eq!(publish(&served, &ann, "broken", "1.0.0").good().advice(), [""; 0]);
    let advice = publish(&served, &root, "acme_tls", "1.0.0").good().advice();
    assert!(advice[0].starts_with("other has a crate named `acme-tls` as well"), "{advice:?}");
}

#[test]
fn nothing_is_looked_up_if_it_is_turned_off() {
    let (upstream, served) = served(&["--upstream-names", "off"]);
    let token = served.token("ann");
    assert_eq!(publish(&served, &token, "acme-tls", "1.0.0").good().advice(), [""; 0]);
    assert_eq!(upstream.log().len(), 0);
}

#[test]
fn a_dependency_on_crates_io_with_the_name_of_a_private_crate_is_a_warning() {
    let warnings = |answer: &Answer| answer.json()["warnings"]["other"].as_array().unwrap().clone();
    for policy in [UpstreamNames::Warn, UpstreamNames::Refuse, UpstreamNames::Off] {
        let registry = TestRegistry::with_policy(Policy { upstream_names: policy, ..Policy::default() });
        let ann = registry.user("ann");
        ann.publish(&Package::new("base", "1.0.0")).good();
        let public = [("base", "1", "normal", None), ("base_x", "1", "normal", None), ("serde", "1", "normal", None)];
        let said = warnings(&ann.publish(&depending("app", &public)).good());
        let here = Some("sparse+http://registry.test/index/");
        let private = warnings(&ann.publish(&depending("tool", &[("base", "1", "normal", here)])).good());
        registry.run_jobs();
        let about = |said: &[Value]| -> Vec<String> {
            let all = said.iter().map(|one| one.as_str().unwrap().to_owned());
            all.filter(|one| one.contains("crates.io")).collect()
        };
        assert_eq!(about(&private), [""; 0]);
        if policy == UpstreamNames::Off {
            assert_eq!(about(&said), [""; 0]);
            continue;
        }
        let expected = "the package depends on `base` of crates.io, and this registry has a crate of that name: cargo takes the public one. \
                        If that of this registry is meant, write `base = { version = \"…\", registry = \"…\" }`, with the name of this \
                        registry in .cargo/config.toml";
        assert_eq!(about(&said), [expected]);
    }
}

#[test]
fn names_of_a_list_are_reserved_and_those_that_the_upstream_lacks_are_reported() {
    let (upstream, served) = served(&[]);
    let named = format!("other={}", upstream.sparse());
    let list = served.directory.path().join("names");
    std::fs::write(&list, "# Ours on crates.io\nacme-tls\n\nacme-gone\n").unwrap();
    let reserve = |names: &str| {
        let mut command = served.command("admin crate reserve");
        command.args(["--names", names, "--from-upstream", "other", "--upstream", &named, "--reason", "ours"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let output = reserve(list.to_str().unwrap()).output().unwrap();
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = "warning: other has no crates of these names, which are reserved as well: acme-gone";
    assert!(warned.contains(said), "{warned}");
    assert_eq!(succeeded(output), "reserved the name acme-tls\nreserved the name acme-gone\n");
    // From standard input, with one that is there already.
    let mut child = reserve("-").spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"acme-tls\nacme-new\n").unwrap();
    let said = succeeded(child.wait_with_output().unwrap());
    assert_eq!(said, "reserved the name acme-new\nunchanged: 1 names that are reserved for this reason already\n");
    let reserved = || served.run("admin crate reserved", &["--json"]);
    let before = reserved();
    std::fs::write(&list, "acme-more\n1st\n").unwrap();
    let refused = failed(reserve(list.to_str().unwrap()).output().unwrap(), 1);
    assert!(refused.contains("line 2: ") && refused.contains("nothing was changed"), "{refused}");
    std::fs::write(&list, "acme-more\n").unwrap();
    upstream.set("/index/ac/me/acme-more", Behaviour::status(403));
    let refused = failed(reserve(list.to_str().unwrap()).output().unwrap(), 1);
    assert!(refused.contains("nothing was changed: other cannot be asked for acme-more"), "{refused}");
    let unknown =
        served.command("admin crate reserve").args(["x", "--from-upstream", "none", "--reason", "x"]).output().unwrap();
    assert!(failed(unknown, 1).contains("there is no upstream \"none\""));
    assert_eq!(reserved(), before);
}
