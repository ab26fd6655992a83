//! Verification: what agrees is found to agree, also while it changes, and each kind of damage is found as what it is.

use std::process::ExitStatus;

use serde_json::Value;

use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::publishers::{CLIENTS, Publishers};

/// `supercargo verify --json` and how it ended.
fn verify(served: &Served, arguments: &[&str]) -> (ExitStatus, Value) {
    let output = served.command("verify").arg("--json").args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status, serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{} {told}", output.status)))
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
    // Alone.
    let (status, report) = verify(&served, &["--light"]);
    assert_eq!((status.code(), &report["agreement"]), (Some(1), &Value::Bool(false)), "{report:#}");
    let failed = served.command("verify").args(["--git", "no-such-git"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(2));
}

/// The worst that a verification could do is to cry wolf.
#[test]
fn a_registry_under_load_shows_no_difference() {
    let mut served = Served::start(&["--publish-wait", "20ms"]);
    let publishers = Publishers::new(&served.url, &served.token("ann"));
    let mut runs = 0;
    let wishes = publishers.run(|publishers| {
        for round in 0..6 {
            publishers.wait_for_answers(2 * CLIENTS);
            let arguments = ["--orphan-age", "1h", if round % 2 == 0 { "--light" } else { "--all-objects" }];
            let (status, report) = verify(&served, &arguments);
            assert_eq!(report["differences"], Value::Array(Vec::new()), "{report:#}");
            assert_eq!(status.code(), Some(0), "{report:#}");
            runs += 1;
        }
    });
    wishes.assert_fulfilled(&served.url, &served.database.url());
    println!("{runs} verifications beside {}", wishes.summary());
    served.stop();
}
