//! `verify` and `monitor` with an index at a remote.

use serde_json::Value;

use crate::support::git_remote::Bare;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// A registry with a version, stopped, and its remote.
fn stopped() -> (Served, Bare) {
    let remote = Bare::new();
    let mut served = Served::start(&["--index-remote", &remote.url()]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.stop();
    (served, remote)
}

fn verify(served: &Served, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = served.command("verify").args(["--json", "--patience", "0s"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}")))
}

#[test]
fn verify_makes_no_index_where_there_is_none() {
    let served = Served::stopped();
    std::fs::create_dir_all(served.data_dir()).unwrap();
    let output = served.command("verify").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("there is no index in") && said.contains("verify --repair"), "{said}");
    assert!(!served.data_dir().join("index.git").exists());
}

#[test]
fn a_remote_that_is_away_or_ahead_is_critical_for_the_monitor() {
    let (served, remote) = stopped();
    let check = || {
        let mut monitor = served.command("monitor");
        let output = monitor.args(["--json", "--index-remote", &remote.url()]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap_or_else(|| panic!("{report:#}"));
        let of_remote = checks.iter().find(|check| check["check"] == "index_remote");
        of_remote.unwrap_or_else(|| panic!("{report:#}")).clone()
    };
    assert_eq!(check()["severity"], "ok", "{:#}", check());
    remote.commit("README.md", "by another hand");
    let ahead = check();
    assert_eq!(ahead["severity"], "critical", "{ahead:#}");
    assert!(ahead["summary"].as_str().unwrap().contains(&remote.head()), "{ahead:#}");
    std::fs::remove_dir_all(remote.path()).unwrap();
    let away = check();
    assert_eq!(away["severity"], "critical", "{away:#}");
    assert!(away["summary"].as_str().unwrap().contains("does not appear to be a git repository"), "{away:#}");
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_mirror_that_is_not_what_its_remote_has_is_found_and_follows_when_it_is_repaired() {
        let (served, remote) = stopped();
        let at_remote = ["--index-remote", &remote.url()];
        let (code, report) = verify(&served, &at_remote);
        assert_eq!((code, &report["by_kind"]), (Some(0), &serde_json::json!({})), "{report:#}");
        remote.commit("README.md", "by another hand");
        let (code, report) = verify(&served, &at_remote);
        assert_eq!((code, &report["by_kind"]["remote-differs"]), (Some(1), &Value::from(1)), "{report:#}");
        assert_eq!(report["differences"][0]["found"], remote.head());
        // A repair without the remote would write to the mirror only.
        let refused = served.command("verify").arg("--repair").output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("--index-remote"), "{said}");
        let (code, report) = verify(&served, &[&at_remote[..], &["--repair"]].concat());
        assert_eq!(code, Some(0), "{report:#}");
        assert_eq!(report["differences"][0]["repaired"], "fetched from the remote");
        assert_eq!(verify(&served, &at_remote).0, Some(0));
    }

    #[test]
    fn a_repair_of_the_index_reaches_the_remote() {
        let (served, remote) = stopped();
        let line = remote.file("3/f/foo");
        remote.commit("3/f/foo", &line.replace("false", "true"));
        let arguments = ["--index-remote", &remote.url(), "--repair"];
        // The first fetches the damage, the second repairs it.
        verify(&served, &arguments);
        let (code, report) = verify(&served, &arguments);
        assert_eq!(code, Some(0), "{report:#}");
        assert_eq!(remote.file("3/f/foo"), line);
        assert_eq!(verify(&served, &arguments[..2]).0, Some(0));
    }
}
