//! The index at a remote: what is pushed, what is refused, who moved it in between.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use supercargo::crate_store::CrateStore;
use supercargo::database::Pool;
use supercargo::database::catalog::{crates, versions};
use supercargo::index::{GitProgram, Index, IndexError};
use supercargo::jobs::{self, Environment};
use supercargo::queue::{Completions, Runner, Wakeups, inspection};

use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::git_http::{GitServer, Mood};
use crate::support::git_remote::{Bare, git, options};
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded};

fn fsck(index: &Path) {
    succeeded(git(index).args(["fsck", "--full", "--strict", "--no-dangling"]).output().unwrap());
}

fn text(drained: &supercargo::queue::Drained) -> &str {
    let [(_, error)] = &drained.failed[..] else { panic!("{drained:?}") };
    error
}

#[test]
fn publishes_and_yanks_reach_the_remote_and_both_protocols_here() {
    let remote = Bare::new();
    let served = Served::start(&["--index-remote", &remote.url()]);
    let token = served.token("ann");
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(http::publish(&served.url, &token, &Package::new("foo", version)).good().advice(), [""; 0]);
    }
    http::delete_as(&format!("{}/api/v1/crates/foo/1.0.0/yank", served.url), &token).good();
    let there = remote.file("3/f/foo");
    assert_eq!(there.matches("\"yanked\":true").count(), 1, "{there}");
    assert_eq!(http::get(&format!("{}/index/3/f/foo", served.url)).good().text(), there);
    let clone = served.directory.path().join("clone");
    let url = format!("{}/git/index", served.url);
    succeeded(git(served.directory.path()).args(["clone", "--quiet", &url]).arg(&clone).output().unwrap());
    assert_eq!(std::fs::read_to_string(clone.join("3/f/foo")).unwrap(), there);
    assert_eq!(remote.log(), ["Initialise the index", "Publish foo 1.0.0", "Publish foo 1.1.0", "Yank foo 1.0.0"]);
    let refs = succeeded(git(&clone).args(["ls-remote", &url]).output().unwrap());
    assert!(!refs.contains("supercargo"), "{refs}");
    fsck(&served.data_dir().join("index.git"));
    fsck(&remote.path());
}

#[test]
fn one_push_carries_a_whole_batch() {
    let remote = Bare::new();
    remote.hook("post-receive", "echo push >> pushes");
    let registry = TestRegistry::mirroring(remote.options());
    let ann = registry.user("ann");
    for n in 0..20 {
        ann.publish(&Package::new(&format!("foo{n}"), "1.0.0")).good();
    }
    assert_eq!(registry.run_jobs(), 20);
    assert_eq!(std::fs::read_to_string(remote.path().join("pushes")).unwrap(), "push\n");
    assert_eq!(remote.log().len(), 20);
    assert_eq!(remote.head(), registry.index.head().unwrap().commit.unwrap().to_string());
}

#[test]
fn a_commit_of_another_hand_survives_and_what_is_published_stands_on_it() {
    let remote = Bare::new();
    let registry = TestRegistry::mirroring(remote.options());
    let ann = registry.user("ann");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    remote.commit("README.md", "Ours.\n");
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    assert_eq!(remote.log(), ["Publish foo 1.0.0", "by another hand", "Publish foo 1.1.0"]);
    assert_eq!(remote.file("README.md"), "Ours.\n");
    remote.assert_versions("3/f/foo", &["1.0.0", "1.1.0"]);
    assert_eq!(registry.index_file("README.md"), "Ours.\n");
}

#[test]
fn a_hook_that_refuses_everything_keeps_its_words_and_costs_no_attempt() {
    let remote = Bare::new();
    remote.hook("pre-receive", "echo 'Frozen until Monday.' >&2; exit 1");
    let registry = TestRegistry::mirroring(remote.options());
    let ann = registry.user("ann");
    for name in ["foo", "bar"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    let drained = registry.drain();
    assert_eq!((drained.done.len(), drained.failed.len()), (0, 2));
    for (_, error) in &drained.failed {
        assert!(
            error.contains("rejected the push to its branch main: Frozen until Monday. (pre-receive hook declined)"),
            "{error}"
        );
    }
    let spared = "SELECT 1 FROM jobs WHERE awaits_recovery AND attempts = 0";
    let spared = registry.pool.with(|connection| diesel::sql_query(spared).execute(connection).unwrap()).unwrap();
    assert_eq!(spared, 2);
    assert_eq!(registry.index.head().unwrap().commit, None);
    remote.unhook("pre-receive");
    registry.make_due();
    assert_eq!(registry.run_jobs(), 2);
    remote.assert_versions("3/f/foo", &["1.0.0"]);
}

#[test]
fn a_hook_that_refuses_one_crate_fails_that_one_and_lets_its_batch_go_on() {
    let remote = Bare::new();
    remote.hook(
        "update",
        "if git ls-tree -r --name-only \"$3\" | grep -q poison; then echo 'No poison here.' >&2; exit 1; fi",
    );
    let registry = TestRegistry::mirroring(remote.options());
    let ann = registry.user("ann");
    for name in ["aa", "bb", "poison", "cc", "dd"] {
        ann.publish(&Package::new(name, "1.0.0")).good();
    }
    let drained = registry.drain();
    assert_eq!(drained.done.len(), 4);
    assert!(text(&drained).contains("No poison here."), "{}", text(&drained));
    for path in ["2/aa", "2/bb", "2/cc", "2/dd"] {
        remote.assert_versions(path, &["1.0.0"]);
    }
    assert_eq!(remote.file("po/is/poison"), "");
    remote.unhook("update");
    registry.make_due();
    registry.run_jobs();
    remote.assert_versions("po/is/poison", &["1.0.0"]);
}

#[test]
fn what_others_wrote_beside_the_crates_stays() {
    let remote = Bare::new();
    remote.commit("README.md", "Ours.\n");
    remote.commit("config.json", r#"{"dl":"https://old.example","x":1}"#);
    let served = Served::start(&["--index-remote", &remote.url()]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let config: serde_json::Value = serde_json::from_str(&remote.file("config.json")).unwrap();
    assert_eq!(config["x"], 1);
    assert_eq!(config["api"], served.url);
    assert_eq!(remote.file("README.md"), "Ours.\n");
}

#[test]
fn an_index_that_was_only_here_is_given_to_a_new_remote_and_never_thrown_away() {
    let remote = Bare::new();
    let mut served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.stop();
    // One that has an index of its own already.
    let other = Bare::new();
    other.commit("README.md", "Somebody else's.\n");
    let path = served.data_dir().join("index.git");
    let index = Index::open_mirror(&path, GitProgram::default(), other.options()).unwrap();
    let refused = index.lock_writer().unwrap().catch_up(index.remote().unwrap()).unwrap_err();
    assert!(matches!(refused, IndexError::RemoteUnrelated { .. }), "{refused}");
    assert!(refused.to_string().contains("move the directory away"), "{refused}");
    // An empty one.
    served.set_arguments(&["--index-remote", &remote.url()]);
    served.start_again();
    wait_until("the remote to have the index", || remote.file("3/f/foo").contains("1.0.0"));
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    remote.assert_versions("3/f/foo", &["1.0.0", "1.1.0"]);
    served.stop();
    // From now on nobody writes it without.
    let refused = failed(served.command("serve").args(["--listen", "127.0.0.1:0"]).output().unwrap(), 1);
    assert!(refused.contains("follows the remote") && refused.contains("--index-remote"), "{refused}");
}

/// The push of the first worker has landed, and its end is not heard of until the second one has done everything.
#[test]
fn a_slow_worker_with_a_mirror_of_its_own_does_not_note_what_is_out_of_date() {
    let remote = Bare::new();
    // The first push waits at its end, with the branch moved.
    remote.hook(
        "post-receive",
        "mkdir first 2>/dev/null || exit 0; touch landed; while [ ! -e go-on ]; do sleep 0.01; done",
    );
    let database = Database::fresh();
    let directory = tempfile::tempdir().unwrap();
    let pool = Pool::live(&database.url(), 6);
    database
        .connect()
        .batch_execute(
            "INSERT INTO crates (name) VALUES ('foo');
             INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata)
             SELECT id, '1.0.0', '1.0.0', sha256('x'), 1, '{\"name\":\"foo\",\"vers\":\"1.0.0\",\"yanked\":false}', '{}' FROM crates",
        )
        .unwrap();
    let change = |yanked: bool| {
        let kind = if yanked { "yank_version" } else { "unyank_version" };
        let change = format!(
            "UPDATE versions SET desired_yanked = {yanked};
             INSERT INTO jobs (queue, kind, key, payload) SELECT 'index', '{kind}', 'foo', jsonb_build_object(
                'crate_id', crate_id, 'version_id', id, 'name', 'foo', 'num', '1.0.0') FROM versions"
        );
        database.connect().batch_execute(&change).unwrap();
    };
    let runner = |name: &str| {
        let index = Index::open_mirror(&directory.path().join(name), GitProgram::default(), remote.options()).unwrap();
        index.lock_writer().unwrap().catch_up(index.remote().unwrap()).unwrap();
        let environment = Environment {
            index,
            crate_store: CrateStore::local(&directory.path().join("crates")).unwrap(),
            webhooks: supercargo::upstream::guarded::Guarded::new(Vec::new()),
            smtp: None,
            index_export: None,
        };
        let (wakeups, completions) = (Wakeups::default(), Completions::default());
        Runner::new(jobs::registry().unwrap(), environment, pool.clone(), name, wakeups, completions)
    };
    remote.commit("README.md", "Ours.\n");
    let (slow, quick) = (runner("slow"), runner("quick"));
    change(true);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| slow.drain().unwrap());
        wait_until("the first push to land", || remote.path().join("landed").exists());
        change(false);
        let done = quick.drain().unwrap();
        assert_eq!((done.done.len(), done.failed.len()), (1, 0), "{done:?}");
        std::fs::write(remote.path().join("go-on"), "").unwrap();
        let done = slow.join().unwrap();
        assert_eq!((done.done.len(), done.failed.len()), (1, 0), "{done:?}");
    });
    assert!(remote.file("3/f/foo").contains("\"yanked\":false"), "{}", remote.file("3/f/foo"));
    let effective = pool.with(|connection| {
        let krate = crates::find(connection, &"foo".parse().unwrap()).unwrap().unwrap();
        versions::find(connection, krate.id, &"1.0.0".parse().unwrap()).unwrap().unwrap().effective_yanked
    });
    assert_eq!(effective.unwrap(), Some(false), "the database says what the remote does not");
    // An empty commit may follow, since the slow one can't know what the other has under way.
    assert_eq!(remote.log()[1..3], ["Publish foo 1.0.0", "Unyank foo 1.0.0"]);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    /// The remote's list of references was read, and the push is under way.
    #[test]
    fn a_branch_that_moves_while_a_push_is_under_way_is_fetched_and_written_in_the_same_attempt() {
        let remote = Arc::new(Bare::new());
        let server = GitServer::start(&remote, None);
        let registry = TestRegistry::mirroring(options(server.url()));
        let ann = registry.user("ann");
        ann.publish(&Package::new("foo", "1.0.0")).good();
        registry.run_jobs();
        let other = Arc::clone(&remote);
        server.before_push(move || other.commit("README.md", "Ours.\n"));
        ann.publish(&Package::new("foo", "1.1.0")).good();
        registry.run_jobs();
        assert_eq!(remote.log(), ["Publish foo 1.0.0", "by another hand", "Publish foo 1.1.0"]);
        assert_eq!(remote.file("README.md"), "Ours.\n");
        let done =
            registry.pool.with(|connection| inspection::list(connection, inspection::Selection::Done, 1).unwrap());
        assert_eq!(done.unwrap()[0].attempts, 1);
    }

    #[test]
    fn a_squash_at_the_remote_is_followed() {
        let remote = Bare::new();
        let registry = TestRegistry::mirroring(remote.options());
        let ann = registry.user("ann");
        ann.publish(&Package::new("foo", "1.0.0")).good();
        registry.run_jobs();
        remote.squash();
        ann.publish(&Package::new("foo", "1.1.0")).good();
        registry.run_jobs();
        assert_eq!(remote.log(), ["squashed", "Publish foo 1.1.0"]);
        assert_eq!(registry.commits(), remote.log());
    }

    /// A push that nobody heard of again arrives when its change has been taken back.
    #[test]
    fn a_push_that_arrives_late_does_not_bring_back_an_old_wish() {
        let remote = Bare::new();
        let server = GitServer::start(&remote, None);
        let mut slow = options(server.url());
        slow.limit = Duration::from_secs(4);
        let registry = TestRegistry::mirroring(slow);
        let ann = registry.user("ann");
        ann.publish(&Package::new("foo", "1.0.0")).good();
        registry.run_jobs();
        server.set(Mood::HoldsPushOnce);
        ann.yank("foo", "1.0.0").good();
        assert!(text(&registry.drain()).contains("longer than 4s"));
        ann.unyank("foo", "1.0.0").good();
        registry.make_due();
        // Nothing differs any more: the change was taken back before anybody saw it.
        assert_eq!(registry.run_jobs(), 2);
        let pushes = server.pushes();
        server.release();
        wait_until("the late push to be carried out", || server.pushes() > pushes);
        assert!(remote.file("3/f/foo").contains("\"yanked\":false"), "{}", remote.file("3/f/foo"));
        assert_eq!(remote.log(), ["Publish foo 1.0.0", "Settle a push of unknown outcome"]);
    }
}
