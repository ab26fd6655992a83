//! An asynchronous standby may be promoted before it has the latest changes. The index and the crate files have them.

use serde_json::Value;

use super::registry::Registry;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::succeeded;
use crate::support::standby::{Pair, Replication};

fn shown(url: &str, path: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    http::index_lines(url, path).iter().map(|line| (text(&line["vers"]), text(&line["cksum"]))).collect()
}

#[test]
fn what_the_promoted_standby_lacks_stays_in_the_index_and_is_restored_from_it() {
    let pair = Pair::start(Replication::Asynchronous);
    let mut registry = Registry::start(&pair, &["--publish-wait", "60s"]);
    let (ann, bob) = (registry.token("ann"), registry.token("bob"));
    let publish = |url: &str, token: &str, package: &Package| http::publish(url, token, package);
    publish(&registry.url, &ann, &Package::new("foo", "1.0.0")).good();
    publish(&registry.url, &ann, &Package::new("bar", "1.0.0")).good();
    pair.cut_off_the_standby();
    for version in ["1.1.0", "1.2.0"] {
        publish(&registry.url, &ann, &Package::new("foo", version)).good();
    }
    publish(&registry.url, &ann, &Package::new("lost", "1.0.0")).good();
    http::delete_as(&format!("{}/api/v1/crates/bar/1.0.0/yank", registry.url), &ann).good();
    let before = shown(&registry.url, "3/f/foo");
    assert_eq!(before.len(), 3);
    pair.primary.kill();
    pair.promote();

    // The number of a lost version, the name of a lost crate, by anybody.
    let other = Package::new("foo", "1.1.0").described("Another one.");
    wait_until("the promoted standby", || publish(&registry.url, &ann, &other).status != 503);
    let refused = publish(&registry.url, &ann, &other);
    let said = refused.text();
    assert_eq!(refused.status, 409, "{said}");
    assert!(
        said.contains("`foo@1.1.0` is in the index of this registry") && said.contains("verify --repair"),
        "{said}"
    );
    for token in [&ann, &bob] {
        let refused = publish(&registry.url, token, &Package::new("lost", "2.0.0"));
        let said = refused.text();
        assert_eq!(refused.status, 409, "{said}");
        assert!(said.contains("the crate `lost` is in the index of this registry and not in its database"), "{said}");
    }
    assert_eq!(shown(&registry.url, "3/f/foo"), before);
    // Cargo builds with them all the same.
    let are_served = |url: &str, names: &[(&str, &str)]| {
        for (name, version) in names {
            let file = format!("{url}/api/v1/crates/{name}/{version}/download");
            assert_eq!(http::get(&file).good().body, Package::new(name, version).crate_file(), "{name} {version}");
        }
    };
    are_served(&registry.url, &[("foo", "1.1.0"), ("foo", "1.2.0"), ("lost", "1.0.0"), ("foo", "1.0.0")]);
    for never in ["foo/1.2.1", "lost/1.0.1", "none/1.0.0", "lost/1.0.0+build"] {
        assert_eq!(http::get(&format!("{}/api/v1/crates/{never}/download", registry.url)).status, 404, "{never}");
    }

    // The next version, and a yank: the lines of lost ones stay, and so does what they are.
    publish(&registry.url, &ann, &Package::new("foo", "1.3.0")).good();
    http::delete_as(&format!("{}/api/v1/crates/foo/1.0.0/yank", registry.url), &ann).good();
    let mut lines = shown(&registry.url, "3/f/foo");
    assert_eq!(lines.len(), 4);
    assert!(before.iter().all(|line| lines.contains(line)), "{lines:?}");
    // The same file again restores its version.
    publish(&registry.url, &ann, &Package::new("foo", "1.1.0")).good();
    assert_eq!(shown(&registry.url, "3/f/foo").len(), 4);
    assert!(registry.log().contains("the index has versions that the database has lost"), "{}", registry.log());

    let differences = registry.command("verify").arg("--json").output().unwrap();
    let report: Value = serde_json::from_slice(&differences.stdout).unwrap();
    assert_eq!(differences.status.code(), Some(1), "{report:#}");
    let repaired = registry
        .command("verify")
        .args(["--repair", "--json", "--yanks-from-index", "--owner", "ann"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_str(&succeeded(repaired)).unwrap();
    assert_eq!(report["agreement"], true, "{report:#}");
    lines.sort();
    let mut repaired = shown(&registry.url, "3/f/foo");
    repaired.sort();
    assert_eq!(repaired, lines);
    assert_eq!(http::index_lines(&registry.url, "3/b/bar")[0]["yanked"], true);
    let bar = http::get(&format!("{}/api/v1/crates/bar/1.0.0", registry.url)).good().json();
    assert_eq!((&bar["version"]["yanked"], &bar["version"]["desired_yanked"]), (&true.into(), &Value::Null), "{bar}");
    are_served(&registry.url, &[("foo", "1.1.0"), ("foo", "1.2.0"), ("lost", "1.0.0")]);
    publish(&registry.url, &ann, &Package::new("lost", "2.0.0")).good();
    let audit = registry.run("admin audit", &["--action", "repair"]);
    assert!(["1.2.0", "lost", "bar"].iter().all(|changed| audit.contains(changed)), "{audit}");
    assert_eq!(publish(&registry.url, &ann, &other).status, 409);
    registry.kill();
}
