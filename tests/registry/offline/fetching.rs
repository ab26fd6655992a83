//! `supercargo upstream fetch`.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{
    CRATES_IO, OLD, command, crates_io, download, ended, library, lock_file, locked, output, place, run, versions,
    write,
};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::Behaviour;

#[test]
fn what_a_lock_file_names_is_in_the_cache_that_serve_uses() {
    let (mut upstream, served) = crates_io(&[]);
    let (foo, bar) = (library("foo", "1.0.0"), library("bar", "1.0.0"));
    let (one, two) = (lock_file(&served, "one.lock", &[&foo]), lock_file(&served, "two.lock", &[&bar, &foo]));
    let said = run(&served, &upstream, "upstream fetch", &["--lock", &one, "--lock", &two]);
    assert!(said.starts_with("2 versions are in the cache: 0 were there, 2 were fetched ("), "{said}");
    let said = run(&served, &upstream, "upstream fetch", &["--lock", &one, "--lock", &two, "--json"]);
    let again: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&again["kept"], &again["fetched"]), (&2.into(), &0.into()), "{again}");
    assert_eq!([upstream.count("/dl/foo/1.0.0"), upstream.count("/dl/bar/1.0.0")], [1, 1]);
    upstream.stop();
    assert_eq!(download(&served, "foo", "1.0.0").good().body, foo.crate_file());
    assert_eq!(versions(&served, "3/b/bar"), ["1.0.0"]);
    // Without the upstream, too.
    let said = run(&served, &upstream, "upstream fetch", &["--lock", &two, "--upstream-offline"]);
    assert!(said.contains("2 were there, 0 were fetched"), "{said}");
}

#[test]
fn a_running_serve_sees_what_the_command_has_written_without_asking() {
    let (upstream, mut served) = crates_io(&[]);
    assert_eq!(versions(&served, "3/f/foo"), ["1.0.0"]);
    served.stop();
    let upstream_is = super::named(&upstream);
    served.set_arguments(&["--upstream", &upstream_is, "--upstream-offline", "--upstream-fresh", "10ms"]);
    served.start_again();
    // It is in memory now.
    assert_eq!(versions(&served, "3/f/foo"), ["1.0.0"]);
    let newer = library("foo", "1.1.0");
    upstream.add(&newer, OLD);
    let lock = lock_file(&served, "Cargo.lock", &[&newer]);
    run(&served, &upstream, "upstream fetch", &["--lock", &lock, "--upstream-fresh", "10ms"]);
    assert_eq!(versions(&served, "3/f/foo"), ["1.0.0", "1.1.0"]);
    assert_eq!(download(&served, "foo", "1.1.0").good().body, newer.crate_file());
}

#[test]
fn a_command_that_judges_otherwise_than_serve_is_refused() {
    let (upstream, served) = crates_io(&["--cooldown", "3days", "--advisory-policy", "high=refuse"]);
    let lock = lock_file(&served, "Cargo.lock", &[&library("foo", "1.0.0")]);
    let arguments = ["--lock", &*lock, "--cooldown", "crates-io=72h"];
    let refused = ended(&output(&served, &upstream, "upstream fetch", &arguments), 1);
    assert!(
        refused.contains(
            "`serve` judges versions of crates-io by --cooldown crates-io=3days --advisory-policy high=refuse --advisory-policy \
             critical=refuse, and this command by --cooldown crates-io=3days: give it the same options"
        ),
        "{refused}"
    );
    assert_eq!(upstream.log().len(), 0);
    let same = [&arguments[..], &["--advisory-policy", "high=refuse"]].concat();
    assert!(run(&served, &upstream, "upstream fetch", &same).contains("1 were fetched"));
}

#[test]
fn what_is_missing_is_listed_and_nothing_wrong_is_kept() {
    let (upstream, served) = crates_io(&[]);
    served.run("upstream block", &["crates-io", "bar", "--reason", "taken over"]);
    upstream.add(&library("wrong", "1.0.0"), OLD);
    upstream.set("/dl/wrong/1.0.0", Behaviour::file("other bytes"));
    let other = library("foo", "1.0.0").described("Other bytes");
    let (bar, wrong) = (library("bar", "1.0.0"), library("wrong", "1.0.0"));
    let parts = [
        locked(&other, CRATES_IO),
        locked(&bar, CRATES_IO),
        locked(&wrong, CRATES_IO),
        locked(&library("absent", "1.0.0"), CRATES_IO),
        locked(&library("far", "1.0.0"), "sparse+https://crates.far.example/index/"),
        locked(&library("near", "1.0.0"), &format!("sparse+{}/index/", served.url)),
        locked(&library("hub", "1.0.0"), "git+https://hub.example/hub?rev=1#1"),
    ];
    let lock = write(&served, "Cargo.lock", &format!("version = 4\n\n{}", parts.concat()));
    let said = ended(&output(&served, &upstream, "upstream fetch", &["--lock", &lock]), 1);
    for expected in [
        format!("foo@1.0.0 of crates-io: {lock} says that its SHA-256 is {}, and the index says", super::sum(&other)),
        "bar@1.0.0 of crates-io: bar@1.0.0 of crates-io is blocked in this registry: taken over".to_owned(),
        format!("wrong@1.0.0 of crates-io: {}/dl/wrong/1.0.0 has the SHA-256", upstream.url),
        "absent@1.0.0 of crates-io: it is not in the index of crates-io".to_owned(),
        "far@1.0.0 of sparse+https://crates.far.example/index/: this registry is no upstream here".to_owned(),
        "near@1.0.0 of this registry".to_owned(),
        "hub 1.0.0 (git+https://hub.example/hub?rev=1#1): it comes from git".to_owned(),
        "5 versions are not in the cache (listed above)".to_owned(),
    ] {
        assert!(said.contains(&expected), "{expected}\n{said}");
    }
    assert_eq!([upstream.count("/dl/foo/1.0.0"), upstream.count("/dl/bar/1.0.0")], [0, 0]);
    assert!(!place(&served, &bar).exists() && !place(&served, &wrong).exists());
    wait_until("the entry", || served.run("admin audit", &["--action", "upstream-mismatch"]).contains("crates-io"));
    let no_lock = write(&served, "Cargo.toml", "[package]\n");
    let refused = ended(&output(&served, &upstream, "upstream fetch", &["--lock", &no_lock]), 1);
    assert!(refused.contains("Cargo.toml cannot be used: "), "{refused}");
}

#[test]
fn a_damaged_kept_file_is_fetched_again() {
    let (upstream, served) = crates_io(&[]);
    let foo = library("foo", "1.0.0");
    let lock = lock_file(&served, "Cargo.lock", &[&foo]);
    run(&served, &upstream, "upstream fetch", &["--lock", &lock]);
    std::fs::write(place(&served, &foo), "damaged").unwrap();
    let said = run(&served, &upstream, "upstream fetch", &["--lock", &lock]);
    assert!(said.contains("0 were there, 1 were fetched"), "{said}");
    assert_eq!(std::fs::read(place(&served, &foo)).unwrap(), foo.crate_file());
}

#[test]
fn an_upstream_that_asks_for_a_pause_gets_it() {
    let (upstream, served) = crates_io(&[]);
    let foo = library("foo", "1.0.0");
    let lock = lock_file(&served, "Cargo.lock", &[&foo]);
    let pause = || Behaviour::Status(429, vec![("retry-after", "1".to_owned())]);
    let index = upstream.behaviour("/index/3/f/foo").unwrap();
    upstream.set("/index/3/f/foo", pause());
    upstream.set("/dl/foo/1.0.0", pause());
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| run(&served, &upstream, "upstream fetch", &["--lock", &lock]));
        wait_until("a request for the index file", || upstream.count("/index/3/f/foo") == 1);
        upstream.set("/index/3/f/foo", index);
        wait_until("a request for the crate file", || upstream.count("/dl/foo/1.0.0") == 1);
        upstream.set("/dl/foo/1.0.0", Behaviour::file(foo.crate_file()));
        let said = fetching.join().unwrap();
        assert!(said.contains("1 were fetched"), "{said}");
    });
    assert_eq!([upstream.count("/index/3/f/foo"), upstream.count("/dl/foo/1.0.0")], [2, 2]);
}

#[test]
fn an_interrupted_run_ends_at_once_and_is_continued() {
    let (upstream, served) = crates_io(&[]);
    let (foo, bar) = (library("foo", "1.0.0"), library("bar", "1.0.0"));
    let lock = lock_file(&served, "Cargo.lock", &[&bar, &foo]);
    upstream.set("/dl/foo/1.0.0", Behaviour::Stall);
    let mut fetching = command(&served, &upstream, "upstream fetch", &["--lock", &lock]);
    fetching.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = fetching.spawn().unwrap();
    wait_until("one file, and the request for the other", || {
        place(&served, &bar).exists() && upstream.count("/dl/foo/1.0.0") == 1
    });
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let said = ended(&child.wait_with_output().unwrap(), 130);
    assert!(said.contains("interrupted, with 1 left: run the same command again to continue"), "{said}");
    upstream.set("/dl/foo/1.0.0", Behaviour::file(foo.crate_file()));
    let said = run(&served, &upstream, "upstream fetch", &["--lock", &lock]);
    assert!(said.contains("1 were there, 1 were fetched"), "{said}");
    assert_eq!(upstream.count("/dl/bar/1.0.0"), 1);
}
