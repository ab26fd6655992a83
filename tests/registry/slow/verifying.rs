//! `supercargo verify`: exit codes, verification under load, resumption, and scheduled verification.

use std::process::ExitStatus;

use serde_json::Value;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::publishers::{CLIENTS, Publishers};

/// `supercargo verify --json` and how it ended.
fn verify(served: &Served, arguments: &[&str]) -> (ExitStatus, Value) {
    let output = served.command("verify").arg("--json").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status, serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{} {errors}", output.status)))
}

#[test]
fn the_exit_code_says_whether_all_agrees() {
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    for version in ["1.0.0", "1.1.0"] {
        http::publish(&served.url, &token, &Package::new("foo", version)).good();
    }
    let (status, report) = verify(&served, &[]);
    assert_eq!((status.code(), &report["agreement"]), (Some(0), &Value::Bool(true)), "{report:#}");
    assert_eq!(report["counts"]["versions"], 2, "{report:#}");
    let (status, report) = verify(&served, &["--light", "--orphan-age", "0s"]);
    assert_eq!((status.code(), report["mode"].as_str()), (Some(0), Some("light")), "{report:#}");
    let file = supercargo::package::Checksum::of(&Package::new("foo", "1.0.0").crate_file()).to_string();
    std::fs::remove_file(served.data_dir().join(format!("crates/{}/{file}.crate", &file[..2]))).unwrap();
    let (status, report) = verify(&served, &[]);
    assert_eq!((status.code(), report["differences"].as_array().unwrap().len()), (Some(1), 1), "{report:#}");
    assert_eq!(report["differences"][0]["kind"], "missing-crate-file");
    served.stop();
    // Without a server.
    let (status, report) = verify(&served, &["--light"]);
    assert_eq!((status.code(), &report["agreement"]), (Some(1), &Value::Bool(false)), "{report:#}");
    let failed = served.command("verify").args(["--git", "no-such-git"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(2));
}

/// A verification must never report a false difference.
#[test]
fn a_registry_under_load_shows_no_difference() {
    let mut served = Served::start(&["--publish-wait", "20ms", "--rate-limit", "none"]);
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    let mut runs = 0;
    let changes = publishers.run(|publishers| {
        for round in 0..6 {
            publishers.wait_for_answers(2 * CLIENTS);
            let arguments = ["--orphan-age", "1h", if round % 2 == 0 { "--light" } else { "--all-objects" }];
            let (status, report) = verify(&served, &arguments);
            assert_eq!(report["differences"], Value::Array(Vec::new()), "{report:#}");
            assert_eq!(status.code(), Some(0), "{report:#}");
            runs += 1;
        }
    });
    changes.assert_fulfilled(&served.url, &served.database.url());
    println!("{runs} verifications beside {}", changes.summary());
    served.stop();
}

#[test]
fn a_killed_verification_goes_on_where_it_was_and_a_mirror_mends_what_is_lost() {
    let (mut served, mut mirror) = (Served::start(&["--verify-interval", "0s"]), Served::start(&[]));
    let packages: Vec<Package> = (0..9).map(|number| Package::new(&format!("crate{number}"), "1.0.0")).collect();
    for one in [&served, &mirror] {
        let token = one.token("ann");
        packages.iter().for_each(|package| drop(http::publish(&one.url, &token, package).good()));
    }
    for package in &packages {
        let file = supercargo::package::Checksum::of(&package.crate_file()).to_string();
        std::fs::remove_file(served.data_dir().join(format!("crates/{}/{file}.crate", &file[..2]))).unwrap();
    }
    // Killed in the middle of the crate files.
    let killed = served.command("verify").env("SUPERCARGO_FAIL_POINTS", "verify.page=abort@150").output().unwrap();
    assert!(!killed.status.success());
    let (status, report) = verify(&served, &["--resume"]);
    assert_eq!((status.code(), &report["resumed"]), (Some(1), &Value::Bool(true)), "{report:#}");
    assert_eq!(report["counts"]["crates"], 9, "{report:#}");
    assert_eq!(report["by_kind"]["missing-crate-file"], 9, "{report:#}");
    let url = format!("{}/api/v1/crates", mirror.url);
    let (status, report) = verify(&served, &["--repair", "--mirror", &url]);
    assert_eq!((status.code(), &report["repaired"]), (Some(0), &Value::from(9)), "{report:#}");
    for package in &packages {
        let path = format!("{}/api/v1/crates/{}/1.0.0/download", served.url, package.name);
        assert_eq!(http::get(&path).good().body, package.crate_file());
    }
    served.stop();
    mirror.stop();
}

#[test]
fn a_process_that_takes_jobs_verifies_by_itself() {
    let mut served = Served::start(&["--verify-interval", "200ms"]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let metric = |name: &str| -> Option<f64> {
        let text = http::get(&format!("{}/metrics", served.url)).good().text();
        text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))?.parse().ok())
    };
    wait_until("a verification", || metric("supercargo_verify_finished_timestamp_seconds").is_some());
    assert_eq!(metric("supercargo_verify_differences"), Some(0.0));
    let file = supercargo::package::Checksum::of(&Package::new("foo", "1.0.0").crate_file()).to_string();
    std::fs::remove_file(served.data_dir().join(format!("crates/{}/{file}.crate", &file[..2]))).unwrap();
    wait_until("a difference", || metric("supercargo_verify_differences") == Some(1.0));
    served.stop();
}
