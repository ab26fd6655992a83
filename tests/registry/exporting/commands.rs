//! `index export` and `verify` of the copy, and options that do not go together.

use super::{Exporting, arguments, files, with};
use crate::support::event::wait_until;
use crate::support::process::{Served, failed, succeeded, supercargo};
use crate::support::s3::S3Server;

#[test]
fn a_command_fills_an_empty_bucket_and_says_how_far_the_copy_is() {
    let server = S3Server::start();
    let served = Served::start(&[]);
    let token = served.token("ann");
    for name in ["foo", "bar", "baz"] {
        crate::support::http::publish(&served.url, &token, &crate::support::package::Package::new(name, "1.0.0"))
            .good();
    }
    let export = |more: &[&str]| served.run("index export", &with(&arguments(&server), more));
    assert_eq!(export(&["--status"]), "s3://crates/index: no export is complete\n");
    let said = export(&[]);
    assert!(said.ends_with(": 4 files written, 0 removed, 0 looked at and right.\n"), "{said}");
    assert_eq!(files(&server.objects().join("index")).len(), 4);
    assert_eq!(export(&[]), "s3://crates/index is up to date.\n");
    let said = export(&["--full"]);
    assert!(said.contains(": 0 files written, 0 removed, "), "{said}");
    let said = export(&["--rewrite", "--index-export-cache-control", "public, max-age=60"]);
    assert!(said.contains(": 4 files written, 0 removed, "), "{said}");
    let object = super::attempts::bucket(&server).look_at("3/f/foo").unwrap().unwrap();
    assert_eq!(object.headers.cache_control, "public, max-age=60");
    assert!(export(&["--status"]).starts_with("s3://crates/index: current, commit "));
    let refused = failed(served.command("index export").output().unwrap(), 1);
    assert!(refused.contains("set --index-export"), "{refused}");
}

#[test]
fn an_interrupted_first_export_goes_on_where_it_was() {
    let server = S3Server::start();
    let served = Served::start(&[]);
    let token = served.token("ann");
    let names: Vec<String> = (0..40).map(|number| format!("crate{number}")).collect();
    for name in &names {
        crate::support::http::publish(&served.url, &token, &crate::support::package::Package::new(name, "1.0.0"))
            .good();
    }
    let arguments = arguments(&server);
    let killed = served
        .command("index export")
        .args(with(&arguments, &["--full"]))
        .env("SUPERCARGO_FAIL_POINTS", "export.object_written=abort@20")
        .output()
        .unwrap();
    assert!(!killed.status.success());
    let there = files(&server.objects().join("index")).len();
    assert!((19..40).contains(&there), "{there}");
    let said = served.run("index export", &with(&arguments, &["--full"]));
    let written: usize = said.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(written, 41 - there, "{said}");
}

#[test]
fn a_verification_finds_and_repairs_what_differs_in_the_copy() {
    let registry = Exporting::start(&[]);
    for name in ["foo", "bar", "baz"] {
        registry.publish(name, "1.0.0");
    }
    registry.wait_until_exported();
    let arguments = arguments(&registry.server);
    let verify = |more: &[&str]| registry.served.command("verify").args(with(&arguments, more)).output().unwrap();
    let said = succeeded(verify(&[]));
    assert!(said.contains("; 4 files of the copy of the index"), "{said}");
    let objects = registry.server.objects().join("index");
    std::fs::remove_file(objects.join("3/f/foo")).unwrap();
    std::fs::write(objects.join("3/b/bar"), "stale").unwrap();
    std::fs::create_dir_all(objects.join("3/q")).unwrap();
    std::fs::write(objects.join("3/q/qux"), "foreign").unwrap();
    let said = failed_with_output(verify(&["--light"]));
    for kind in ["missing-exported-file", "stale-exported-file", "foreign-exported-file"] {
        assert!(said.contains(kind), "{kind}: {said}");
    }
    let said = succeeded(verify(&["--light", "--repair"]));
    assert!(said.contains("3 differences, all repaired"), "{said}");
    assert_eq!(registry.copy(), registry.index());
    succeeded(verify(&["--light"]));
}

/// What a command printed whose exit code says that there are differences.
fn failed_with_output(output: std::process::Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_restore_compares_the_whole_copy() {
    let registry = Exporting::start(&[]);
    registry.publish("foo", "1.0.0");
    registry.wait_until_exported();
    let backups = registry.served.directory.path().join("backups");
    registry.served.run("backup", &[backups.to_str().unwrap()]);
    registry.publish("later", "1.0.0");
    registry.wait_until_exported();
    assert!(registry.copy().contains_key("la/te/later"));
    let mut restored = Served::nothing(&[]);
    restored.run("restore", &[backups.to_str().unwrap()]);
    let arguments = arguments(&registry.server);
    drop(registry.served);
    restored.set_arguments(&with(&arguments, &[]));
    restored.start_again();
    wait_until("what the backup lacks is removed", || {
        !files(&registry.server.objects().join("index")).contains_key("la/te/later")
    });
}

#[test]
fn options_that_would_show_or_overwrite_something_are_refused() {
    let server = S3Server::start();
    let arguments = arguments(&server);
    let said = |more: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let mut command = supercargo();
        command.args(["serve", "--data-dir"]).arg(directory.path()).args(with(&arguments, more));
        failed(command.output().unwrap(), 1)
    };
    insta::assert_snapshot!(said(&["--auth-required"]), @"supercargo: --index-export: everyone can read the objects of an export, and --auth-required hides the index: remove one of the two");
    insta::assert_snapshot!(said(&["--crate-store", "s3://crates/index"]), @"supercargo: --index-export s3://crates/index and --crate-store s3://crates/index are the same place, or one is inside the other: use two prefixes, as in s3://crates/index and s3://crates/crates");
    insta::assert_snapshot!(said(&["--download-redirect", "presigned"]), @"supercargo: --download-redirect presigned: only a bucket has such URLs: set --crate-store s3://BUCKET/PREFIX");
}
