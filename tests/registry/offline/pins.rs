//! Pinned files are never removed.

use serde_json::Value;
use supercargo::crate_store::CrateStore;
use supercargo::database::Pool;
use supercargo::upstream_cache::eviction::{self, Evicted};

use super::{command, crates_io, ended, library, lock_file, named, output, place, run, sum};
use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::process::Served;

#[test]
fn a_pinned_file_stays_however_small_the_cache_is() {
    let (upstream, mut served) = crates_io(&[]);
    let (foo, bar) = (library("foo", "1.0.0"), library("bar", "1.0.0"));
    let lock = lock_file(&served, "Cargo.lock", &[&bar]);
    run(&served, &upstream, "upstream fetch", &["--lock", &lock]);
    let said = run(&served, &upstream, "upstream pin", &["crates-io", "Foo@1.0.0", "--reason", "for the archive"]);
    assert!(said.contains("0 were there, 1 were fetched") && said.contains("1 were pinned"), "{said}");
    let pins: Value = serde_json::from_str(&served.run("upstream pins", &["crates-io", "--json"])).unwrap();
    assert_eq!(pins.as_array().unwrap().len(), 1, "{pins}");
    let of = |field: &str| pins[0][field].as_str().unwrap().to_owned();
    let all = ["upstream", "crate", "version", "reason", "checksum"].map(of);
    assert_eq!(all, ["crates-io", "foo", "1.0.0", "for the archive", &sum(&foo).to_string()]);
    served.stop();
    let (upstream_is, log) = (named(&upstream), "warn");
    served = restarted_with_log(served, log, &["--upstream", &upstream_is, "--upstream-cache-size", "1"]);
    wait_until("the eviction", || !place(&served, &bar).exists());
    assert!(place(&served, &foo).exists());
    let excess = "the pinned crate files of upstreams alone are larger than --upstream-cache-size";
    wait_until("the warning", || served.log().contains(excess));
    assert!(served.run("admin audit", &["--action", "upstream-pin"]).contains("crates-io"));
    // Without the pin it goes, too.
    let said = served.run("upstream unpin", &["crates-io", "foo@1.0.0"]);
    assert!(said.contains("foo@1.0.0 of crates-io is no longer pinned"), "{said}");
    served.stop();
    served.start_again();
    wait_until("the eviction", || !place(&served, &foo).exists());
    let again = ended(&served.command("upstream unpin").args(["crates-io", "foo"]).output().unwrap(), 1);
    assert!(again.contains("foo of crates-io is not pinned, and nothing was changed"), "{again}");
    assert!(served.run("admin audit", &["--action", "upstream-unpin"]).contains("crates-io"));
}

/// The same registry, which logs from now on.
fn restarted_with_log(served: Served, level: &str, arguments: &[&str]) -> Served {
    let mut served = served.logging(level);
    served.set_arguments(arguments);
    served.start_again();
    served
}

#[test]
fn without_the_pins_nothing_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let store = CrateStore::local(directory.path()).unwrap();
    let file = library("foo", "1.0.0");
    store.put(sum(&file), file.crate_file().into()).unwrap();
    // There is no table of pins.
    let database = Database::empty();
    let pool = Pool::live(&database.url(), 1);
    let refused = eviction::run(&store, 0, &pool).unwrap_err();
    assert_eq!(refused.to_string(), "the pins cannot be read");
    assert!(store.contains(sum(&file)).unwrap());
    let database = Database::fresh();
    let pool = Pool::live(&database.url(), 1);
    let size = file.crate_file().len() as u64;
    assert_eq!(eviction::run(&store, 0, &pool).unwrap(), Evicted { files: 1, bytes: size, left: 0, pinned: 0 });
    assert!(!store.contains(sum(&file)).unwrap());
}

#[test]
fn the_files_of_pins_are_fetched_again_after_a_loss() {
    let (upstream, served) = crates_io(&[]);
    let (foo, bar) = (library("foo", "1.0.0"), library("bar", "1.0.0"));
    let lock = lock_file(&served, "Cargo.lock", &[&foo, &bar]);
    let said = run(&served, &upstream, "upstream fetch", &["--lock", &lock, "--pin"]);
    assert!(said.contains("2 were fetched") && said.contains("2 were pinned"), "{said}");
    // As after a restore: the pins are in the database, and the cache is not in a backup.
    std::fs::remove_dir_all(served.data_dir().join("crates/upstream")).unwrap();
    let said = run(&served, &upstream, "upstream fetch", &["--pinned"]);
    assert!(said.contains("0 were there, 2 were fetched"), "{said}");
    assert!(place(&served, &foo).exists() && place(&served, &bar).exists());
    // The pin says which file it is.
    let changed = library("foo", "1.0.0").described("Other bytes");
    upstream.remove("/index/3/f/foo");
    upstream.add(&changed, super::OLD);
    std::fs::remove_dir_all(served.data_dir().join("upstream-index")).unwrap();
    let refused = ended(&output(&served, &upstream, "upstream fetch", &["--pinned"]), 1);
    assert!(refused.contains(&format!("the pin says that its SHA-256 is {}", sum(&foo))), "{refused}");
    assert!(!place(&served, &changed).exists());
    // Nor is that of an upstream which is gone.
    let mut other = served.command("upstream fetch");
    let gone = other.args(["--pinned", "--upstream", &format!("acme={}", upstream.sparse())]).output().unwrap();
    assert!(ended(&gone, 1).contains("there is no such upstream any longer"), "{gone:?}");
}

#[test]
fn a_pin_needs_an_upstream_and_a_version() {
    let (upstream, served) = crates_io(&[]);
    let pin = |arguments: &[&str], code| ended(&output(&served, &upstream, "upstream pin", arguments), code);
    assert!(pin(&["crates-io", "foo"], 2).contains("names no version: use CRATE@VERSION"));
    let no_upstream = pin(&["acme", "foo@1.0.0"], 1);
    assert!(no_upstream.contains("there is no upstream \"acme\" (crates-io is set)"), "{no_upstream}");
    let absent = pin(&["crates-io", "foo@9.9.9"], 1);
    assert!(absent.contains("foo@9.9.9 of crates-io: it is not in the index of crates-io"), "{absent}");
    assert_eq!(served.run("upstream pins", &[]).lines().count(), 1);
    let mut nothing = command(&served, &upstream, "upstream fetch", &[]);
    assert!(ended(&nothing.output().unwrap(), 2).contains("--lock"));
}
