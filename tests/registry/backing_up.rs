//! `supercargo backup` and `supercargo restore`.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl};
use serde_json::Value;
use supercargo::database::upkeep::backup;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded, supercargo};
use crate::support::publishers::{CLIENTS, Publishers};
use crate::support::s3::S3Server;
use crate::support::webhook_receiver::{BROKEN, GOOD, WebhookReceiver};

fn make(served: &Served, to: &Path, more: &[&str]) -> Value {
    let output = served.command("backup").arg(to).arg("--json").args(more).output().unwrap();
    serde_json::from_str(&succeeded(output)).unwrap()
}

fn restore(from: &Path, to: &Served) -> Value {
    serde_json::from_str(&succeeded(to.command("restore").arg(from).arg("--json").output().unwrap())).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
        Err(_) => Vec::new(),
    };
    names.sort();
    names
}

/// The crate files of a directory of backups.
fn crate_files(directory: &Path) -> Vec<PathBuf> {
    let root = directory.join("crates");
    let below = |name: String| names(&root.join(&name)).into_iter().map(move |file| PathBuf::from(&name).join(file));
    names(&root).into_iter().flat_map(below).map(|path| root.join(path)).collect()
}

fn publish(served: &Served, token: &str, name: &str, version: &str) {
    http::publish(&served.url, token, &Package::new(name, version)).good();
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(directory).output().unwrap();
    succeeded(output).trim().to_owned()
}

/// Compares database, index and files of a registry through its API.
fn assert_in_agreement(served: &Served) {
    wait_until("nothing is pending", || served.run("jobs list", &["--json"]).trim() == "[]");
    let connection = &mut served.database.connect();
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
        #[diesel(sql_type = diesel::sql_types::Text)]
        num: String,
        #[diesel(sql_type = diesel::sql_types::Bool)]
        yanked: bool,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT name, num, desired_yanked AS yanked FROM versions JOIN crates ON crates.id = crate_id
         WHERE deletion_requested_at IS NULL ORDER BY versions.id",
    )
    .load(connection)
    .unwrap();
    let mut wanted: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for Row { name, num, yanked } in rows {
        let file = http::get(&format!("{}/api/v1/crates/{name}/{num}/download", served.url)).good().body;
        assert_eq!(file, Package::new(&name, &num).crate_file());
        wanted.entry(name).or_default().push((num, yanked));
    }
    let clone = tempfile::tempdir().unwrap();
    git(clone.path(), &["clone", "-q", &format!("{}/git/index", served.url), "index"]);
    let index = clone.path().join("index");
    let shown: BTreeMap<String, Vec<(String, bool)>> = git(&index, &["ls-files"])
        .lines()
        .filter(|path| *path != "config.json")
        .map(|path| {
            let text = std::fs::read_to_string(index.join(path)).unwrap();
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let versions =
                lines.iter().map(|line| (line["vers"].as_str().unwrap().to_owned(), line["yanked"].as_bool().unwrap()));
            (lines[0]["name"].as_str().unwrap().to_owned(), versions.collect())
        })
        .collect();
    assert_eq!(shown, wanted);
}

/// Whether a job of this kind is done.
fn has_done(served: &Served, kind: &str) -> bool {
    let done: Vec<Value> = serde_json::from_str(&served.run("jobs list", &["--json", "--done"])).unwrap();
    done.iter().any(|job| job["kind"] == kind)
}

/// PostgreSQL's programs, of which `pg_dump` ends only when the file `go` exists. After the dump it makes the file `waits`.
fn programs_that_wait(served: &Served, directory: &Path) -> PathBuf {
    #[derive(QueryableByName)]
    struct Installed {
        #[diesel(sql_type = Text)]
        setting: String,
    }
    let installed: Installed = diesel::sql_query("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        .get_result(&mut served.database.connect())
        .unwrap();
    let installed = Path::new(&installed.setting);
    let programs = directory.join("programs");
    std::fs::create_dir(&programs).unwrap();
    for program in std::fs::read_dir(installed).unwrap().map(|program| program.unwrap().path()) {
        std::os::unix::fs::symlink(&program, programs.join(program.file_name().unwrap())).unwrap();
    }
    let pg_dump = programs.join("pg_dump");
    std::fs::remove_file(&pg_dump).unwrap();
    let script = format!(
        "#!/bin/sh\n{1}/pg_dump \"$@\" || exit\n\
         case \"$*\" in *--snapshot*) touch {0}/waits; while [ ! -e {0}/go ]; do sleep 0.02; done;; esac\n",
        directory.display(),
        installed.display()
    );
    std::fs::write(&pg_dump, script).unwrap();
    std::fs::set_permissions(&pg_dump, PermissionsExt::from_mode(0o755)).unwrap();
    programs
}

#[test]
fn a_lost_crate_file_is_reported_and_the_rest_is_backed_up() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    for name in ["foo", "bar", "baz"] {
        publish(&served, &token, name, "1.0.0");
    }
    let stored = |name: &str| {
        let path = crate::support::s3::path_of(&Package::new(name, "1.0.0").crate_file());
        served.data_dir().join("crates").join(path)
    };
    std::fs::remove_file(stored("foo")).unwrap();
    std::fs::write(stored("bar"), "damaged").unwrap();
    let backups = tempfile::tempdir().unwrap();
    let said = failed(served.command("backup").arg(backups.path()).output().unwrap(), 3);
    assert!(said.contains("the backup lacks the crate file of foo@1.0.0: it is missing in the crate store"), "{said}");
    assert!(said.contains("the backup lacks the crate file of bar@1.0.0: it is damaged"), "{said}");
    let mut restored = Served::nothing(&[]);
    assert_eq!(restore(backups.path(), &restored)["files"], 1);
    restored.start_again();
    http::get(&format!("{}/api/v1/crates/baz/1.0.0/download", restored.url)).good();
}

#[test]
fn a_deleted_crate_and_the_message_of_a_yank_are_restored() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    publish(&served, &token, "foo", "1.0.0");
    publish(&served, &token, "bar", "1.0.0");
    served.run("admin version yank", &["bar", "1.0.0", "--message", "it loses data"]);
    assert_eq!(http::delete_as(&format!("{}/api/v1/crates/foo", served.url), &token).status, 204);
    let backups = tempfile::tempdir().unwrap();
    make(&served, backups.path(), &[]);
    let mut restored = Served::nothing(&[]);
    restore(backups.path(), &restored);
    restored.start_again();
    assert_in_agreement(&restored);
    let version = http::get(&format!("{}/api/v1/crates/bar/1.0.0", restored.url)).good().json()["version"].take();
    assert_eq!((&version["yanked"], &version["yank_message"]), (&true.into(), &"it loses data".into()));
    assert_eq!(http::get(&format!("{}/api/v1/crates/foo", restored.url)).status, 404);
    let refused = http::publish(&restored.url, &token, &Package::new("foo", "2.0.0"));
    assert!(refused.status == 409 && refused.text().contains("its name stays taken"), "{}", refused.text());
}

/// It may be a copy: a receiver gets those of the registry that was backed up.
#[test]
fn the_webhooks_of_a_restored_registry_are_paused_until_somebody_resumes_them() {
    let mut served = Served::start(&["--webhook-allow", "127.0.0.1"]);
    let token = served.token("ann");
    let receiver = WebhookReceiver::start();
    receiver.always(BROKEN);
    served.run("webhook add", &[&receiver.url]);
    wait_until("the test", || !receiver.got().is_empty());
    let backups = tempfile::tempdir().unwrap();
    make(&served, backups.path(), &[]);
    served.stop();
    receiver.only(GOOD);
    receiver.kinds();
    let mut restored = Served::nothing(&["--webhook-allow", "127.0.0.1"]);
    assert_eq!(restore(backups.path(), &restored)["paused_webhooks"], 1);
    restored.start_again();
    publish(&restored, &token, "foo", "1.0.0");
    let shown = || -> Value { serde_json::from_str(&restored.run("webhook show", &["1", "--json"])).unwrap() };
    wait_until("the event to wait", || shown()["waiting"] == 2);
    assert_eq!(shown()["pause"]["reason"], "restored from a backup");
    assert_eq!(receiver.kinds(), Vec::<String>::new());
    restored.run("webhook resume", &["1"]);
    wait_until("what waited", || shown()["waiting"] == 0);
    assert_eq!(receiver.kinds(), ["webhook.test", "version.published"]);
}

/// What waits is not of the day on which it would be sent.
#[test]
fn a_restored_registry_sends_no_mail_that_waited_when_it_was_backed_up() {
    let mut served = Served::start(&[]);
    served.token("ann");
    served.run("admin email set", &["ann", "ann@example.com"]);
    let notice = "INSERT INTO email_notices (user_id, type, data, happened_at)
                  SELECT user_id, 'token.created', '{}', now() FROM email_recipients";
    assert_eq!(diesel::sql_query(notice).execute(&mut served.database.connect()).unwrap(), 1);
    let word = "INSERT INTO jobs (queue, kind, key, payload, run_at)
                SELECT 'mail', 'send_to_address', 'user 1',
                       '{\"about\": \"replaced\", \"user_id\": 1, \"address\": \"former@example.com\"}', now() + interval '1 day'";
    assert_eq!(diesel::sql_query(word).execute(&mut served.database.connect()).unwrap(), 1);
    let backups = tempfile::tempdir().unwrap();
    make(&served, backups.path(), &[]);
    served.stop();
    let restored = Served::nothing(&[]);
    restore(backups.path(), &restored);
    let mut connection = restored.database.connect();
    assert_eq!(diesel::sql_query("DELETE FROM email_notices").execute(&mut connection).unwrap(), 0);
    assert_eq!(diesel::sql_query("DELETE FROM jobs WHERE queue = 'mail'").execute(&mut connection).unwrap(), 0);
    assert_eq!(diesel::sql_query("DELETE FROM email_recipients").execute(&mut connection).unwrap(), 1);
}

/// A directory that other users can enter, as PostgreSQL's user does when root runs the tests.
fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    directory
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn what_was_answered_before_a_backup_beside_publishers_is_in_it() {
        let served = Served::start(&["--publish-wait", "1s"]);
        let token = served.token("ann");
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            publish(&served, &token, "before", version);
        }
        http::delete_as(&format!("{}/api/v1/crates/before/1.1.0/yank", served.url), &token).good();
        let clones = tempfile::tempdir().unwrap();
        git(clones.path(), &["clone", "-q", &format!("{}/git/index", served.url), "old"]);
        let backups = tempfile::tempdir().unwrap();
        let publishers = Publishers::new(&served.url, &served.token("load"));
        let mut made = Vec::new();
        publishers.run(|publishers| {
            publishers.wait_for_answers(2 * CLIENTS);
            made.push(make(&served, backups.path(), &[]));
            publishers.wait_for_answers(2 * CLIENTS);
            made.push(make(&served, backups.path(), &[]));
        });
        assert_in_agreement(&served);
        let count = |made: &Value, what: &str| made[what].as_u64().unwrap();
        // The first backup copies everything, the second one only new files.
        assert_eq!(count(&made[0], "new_files"), count(&made[0], "files"));
        assert!(count(&made[1], "new_files") > 0);
        assert_eq!(count(&made[1], "new_files") + count(&made[0], "files"), count(&made[1], "files"));
        let files = crate_files(backups.path());
        assert_eq!(files.len() as u64, count(&made[1], "files"));
        assert!(files.iter().all(|file| file.metadata().unwrap().nlink() == 2), "linked to the registry's own");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let one = backups.path().join(made[1]["name"].as_str().unwrap());
        assert_eq!(names(&one), ["backup.json", "crates.list", "database.dump", "index.bundle"]);
        assert_eq!(mode(&one), 0o700);
        assert!(names(&one).iter().all(|part| mode(&one.join(part)) == 0o600));

        let mut restored = Served::nothing(&[]);
        restore(backups.path(), &restored);
        restored.start_again();
        let lines: Vec<_> = http::index_lines(&restored.url, "be/fo/before");
        let shown: Vec<_> =
            lines.iter().map(|line| (&line["vers"], &line["yanked"])).map(|(a, b)| format!("{a} {b}")).collect();
        assert_eq!(shown, ["\"1.0.0\" false", "\"1.1.0\" true", "\"1.2.0\" false"]);
        assert_in_agreement(&restored);
        // Existing clones can be updated.
        let old = clones.path().join("old");
        git(&old, &["pull", "-q", "--ff-only", &format!("{}/git/index", restored.url), "main"]);
        // Tokens and owners are restored.
        publish(&restored, &token, "before", "1.3.0");
    }

    #[test]
    fn what_came_into_the_index_after_the_dump_is_taken_out_by_new_commits() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        publish(&served, &token, "foo", "1.0.0");
        publish(&served, &token, "bar", "1.0.0");
        let directory = tempfile::tempdir().unwrap();
        let backups = directory.path().join("backups");
        let mut making = served.command("backup");
        let programs = programs_that_wait(&served, directory.path());
        making.arg(&backups).arg("--postgres-bin-dir").arg(programs).stdout(Stdio::null());
        let mut making = making.spawn().unwrap();
        wait_until("the database is dumped", || directory.path().join("waits").exists());
        publish(&served, &token, "foo", "1.1.0");
        publish(&served, &token, "new", "1.0.0");
        http::delete_as(&format!("{}/api/v1/crates/bar/1.0.0/yank", served.url), &token).good();
        git(directory.path(), &["clone", "-q", &format!("{}/git/index", served.url), "old"]);
        std::fs::write(directory.path().join("go"), "").unwrap();
        assert!(making.wait().unwrap().success());

        let mut restored = Served::nothing(&[]);
        let told = restore(&backups, &restored);
        assert_eq!((&told["rendered"], &told["taken_out"]), (&Value::from(2), &Value::from(1)));
        restored.start_again();
        assert_in_agreement(&restored);
        assert_eq!(http::index_lines(&restored.url, "3/n/new").len(), 0);
        let old = directory.path().join("old");
        git(&old, &["pull", "-q", "--ff-only", &format!("{}/git/index", restored.url), "main"]);
        let log = git(&old, &["log", "--format=%s", "-4"]);
        insta::assert_snapshot!(log, @r"
        Update config.json
        Remove new, which the restored database does not have
        Unyank bar 1.0.0
        Remove foo 1.1.0
        ");
        publish(&restored, &token, "new", "1.0.0");
        publish(&restored, &token, "foo", "1.1.0");
    }

    #[test]
    fn a_lost_index_is_restored_alone_and_agrees_with_what_was_published_since() {
        let mut served = Served::start(&[]);
        let token = served.token("ann");
        publish(&served, &token, "foo", "1.0.0");
        let backups = tempfile::tempdir().unwrap();
        make(&served, backups.path(), &[]);
        publish(&served, &token, "foo", "1.1.0");
        publish(&served, &token, "new", "1.0.0");
        let restore = |served: &Served| {
            served.command("restore").arg(backups.path()).args(["--index-only", "--json"]).output().unwrap()
        };
        assert!(failed(restore(&served), 1).contains("is in use by process"));
        served.stop();
        assert!(failed(restore(&served), 1).contains("there is an index at"));
        std::fs::remove_dir_all(served.data_dir().join("index.git")).unwrap();
        // An empty index in its place would show clients a registry without crates.
        assert!(
            failed(served.command("serve").args(["--listen", "127.0.0.1:0"]).output().unwrap(), 1)
                .contains("is empty although the database has published versions")
        );
        let told: Value = serde_json::from_str(&succeeded(restore(&served))).unwrap();
        assert_eq!((&told["rendered"], &told["taken_out"]), (&Value::from(2), &Value::from(0)));
        served.start_again();
        assert_in_agreement(&served);
    }

    #[test]
    fn a_damaged_backup_is_refused_by_its_name_and_nothing_is_made_of_it() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let backups = tempfile::tempdir().unwrap();
        let made = make(&served, backups.path(), &[]);
        let name = made["name"].as_str().unwrap();
        let restored = Served::nothing(&[]);
        let parts = ["database.dump", "index.bundle", "crates.list", "backup.json"];
        let files = parts.iter().map(|part| backups.path().join(name).join(part)).chain(crate_files(backups.path()));
        for file in files {
            let good = std::fs::read(&file).unwrap();
            let mut bad = good.clone();
            bad[good.len() / 2] ^= 0x20;
            if file.ends_with("backup.json") {
                bad.truncate(good.len() / 2);
            }
            // Damage through a link would damage the registry's own file, too.
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, &bad).unwrap();
            let check = served.command("backup").arg("--check").arg(backups.path()).output().unwrap();
            let said = failed(check, 1);
            assert!(said.contains(&format!("the backup {name} is damaged")), "{file:?}: {said}");
            assert_eq!(failed(restored.command("restore").arg(backups.path()).output().unwrap(), 1), said);
            assert!(!restored.data_dir().exists());
            std::fs::remove_file(&file).unwrap();
            assert_eq!(failed(restored.command("restore").arg(backups.path()).output().unwrap(), 1).lines().count(), 1);
            std::fs::write(&file, &good).unwrap();
        }
        let check = |more: &[&str]| {
            succeeded(served.command("backup").arg("--check").arg(backups.path()).args(more).output().unwrap())
        };
        let whole = format!("the backup {name} is intact: 1 crates, 1 versions, 1 crate files");
        assert_eq!(check(&["--checksums-only"]), format!("{whole}\n"));
        let said = check(&[]);
        assert!(said.starts_with(&format!("{whole}; restored into a temporary registry in ")), "{said}");
    }

    #[test]
    fn a_check_that_is_interrupted_leaves_nothing() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let directory = tempfile::tempdir().unwrap();
        let (backups, temporary) = (directory.path().join("backups"), directory.path().join("temporary"));
        make(&served, &backups, &[]);
        std::fs::create_dir(&temporary).unwrap();
        for path in [directory.path(), &temporary] {
            // As root, PostgreSQL runs as another user.
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        // Replaces git, which is the first program that runs after PostgreSQL has started.
        let git = directory.path().join("git-that-waits");
        let script = format!(
            "#!/bin/sh\ntouch {0}/waits; while [ ! -e {0}/go ]; do sleep 0.02; done\n",
            directory.path().display()
        );
        std::fs::write(&git, script).unwrap();
        std::fs::set_permissions(&git, PermissionsExt::from_mode(0o755)).unwrap();
        let mut check = served.command("backup");
        check.arg("--check").arg(&backups).arg("--git").arg(&git).env("TMPDIR", &temporary);
        let mut check = check.stdout(Stdio::null()).spawn().unwrap();
        wait_until("the throw-away database runs", || directory.path().join("waits").exists());
        let made = names(&temporary);
        assert_eq!(made.len(), 2, "{made:?}");
        let mode = |name: &String| temporary.join(name).metadata().unwrap().permissions().mode() & 0o777;
        let mut modes: Vec<u32> = made.iter().map(mode).collect();
        modes.sort_unstable();
        assert_eq!(modes, [0o700, 0o710], "nobody else reads what is restored");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(check.id().cast_signed()), nix::sys::signal::Signal::SIGTERM)
            .unwrap();
        assert_eq!(check.wait().unwrap().code(), Some(128 + 15));
        assert_eq!(names(&temporary), Vec::<String>::new());
        std::fs::write(directory.path().join("go"), "").unwrap();
    }

    #[test]
    fn a_backup_killed_at_any_step_leaves_none_and_the_next_one_is_good() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        publish(&served, &token, "foo", "1.0.0");
        let backups = tempfile::tempdir().unwrap();
        for point in ["backup.dumped", "backup.bundled", "backup.file", "backup.written"] {
            let mut making = served.command("backup");
            making.arg(backups.path()).env("SUPERCARGO_FAIL_POINTS", format!("{point}=abort"));
            let output = making.output().unwrap();
            assert!(String::from_utf8_lossy(&output.stderr).contains(point), "{point} was not passed");
            assert!(!output.status.success());
            let left: Vec<_> = names(backups.path()).into_iter().filter(|name| name.starts_with("20")).collect();
            assert_eq!(left, Vec::<String>::new());
            let check = served.command("backup").arg("--check").arg(backups.path()).output().unwrap();
            assert!(failed(check, 1).contains("there is no backup in"));
        }
        let made = make(&served, backups.path(), &[]);
        assert_eq!(names(backups.path()), [made["name"].as_str().unwrap(), "crates", "lock"]);
        succeeded(served.command("backup").arg("--check").arg(backups.path()).output().unwrap());
    }

    #[test]
    fn a_crate_file_is_not_removed_while_a_backup_may_copy_it() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let file = || {
            let crates = served.data_dir().join("crates");
            names(&crates).into_iter().map(|name| names(&crates.join(name)).len()).sum::<usize>()
        };
        let mut session = served.database.connect();
        assert!(backup::keep_files(&mut session).unwrap());
        served.run("admin version delete", &["foo", "1.0.0", "--reason", "a secret leaked"]);
        let jobs = |which: &[&str]| -> Vec<Value> {
            let jobs: Vec<Value> =
                serde_json::from_str(&served.run("jobs list", &[&["--json"], which].concat())).unwrap();
            jobs.into_iter().filter(|job| job["kind"] == "remove_crate_file").collect()
        };
        wait_until("the removal is put off", || !jobs(&["--done"]).is_empty() && jobs(&[]).len() == 1);
        assert_eq!(file(), 1);
        let refused = served.command("backup").arg(served.directory.path().join("backups")).output().unwrap();
        assert!(failed(refused, 1).contains("another backup of this registry is being made"));
        assert!(backup::release_files(&mut session).unwrap());
        served.run("jobs retry", &[&jobs(&[])[0]["id"].to_string()]);
        wait_until("the file is removed", || file() == 0);
    }

    #[test]
    fn a_crate_file_that_a_backup_has_not_come_to_is_kept_for_it() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let directory = tempfile::tempdir().unwrap();
        let backups = directory.path().join("backups");
        let mut making = served.command("backup");
        let programs = programs_that_wait(&served, directory.path());
        making.arg(&backups).arg("--postgres-bin-dir").arg(programs).stdout(Stdio::null());
        let mut making = making.spawn().unwrap();
        wait_until("the database is dumped", || directory.path().join("waits").exists());
        served.run("admin version delete", &["foo", "1.0.0", "--reason", "a secret leaked"]);
        wait_until("the removal is looked at", || has_done(&served, "remove_crate_file"));
        std::fs::write(directory.path().join("go"), "").unwrap();
        assert!(making.wait().unwrap().success());
        assert_eq!(crate_files(&backups).len(), 1);
    }

    #[test]
    fn old_backups_are_removed_with_the_files_that_no_other_names() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        publish(&served, &token, "foo", "1.0.0");
        publish(&served, &token, "bar", "1.0.0");
        let backups = tempfile::tempdir().unwrap();
        let first = make(&served, backups.path(), &["--keep", "2"]);
        served.run("admin version delete", &["foo", "1.0.0", "--reason", "a secret leaked"]);
        // The index shows it before the database does, from which a backup reads the files that it needs.
        wait_until("it is deleted", || has_done(&served, "delete_version"));
        let second = make(&served, backups.path(), &["--keep", "2"]);
        assert_eq!((second["removed"].as_array().unwrap().len(), crate_files(backups.path()).len()), (0, 2));
        let third = make(&served, backups.path(), &["--keep", "2"]);
        assert_eq!(third["removed"], serde_json::json!([first["name"]]));
        assert_eq!((&third["removed_files"], crate_files(backups.path()).len()), (&Value::from(1), 1));
        let all = served
            .command("backup")
            .args(["--check", "--at", second["name"].as_str().unwrap()])
            .arg(backups.path())
            .output();
        succeeded(all.unwrap());
    }

    #[test]
    fn a_restore_into_what_is_not_empty_is_refused() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let backups = tempfile::tempdir().unwrap();
        let said = |output: std::process::Output, served: &Served| {
            let paths = [(served.data_dir(), "DATA"), (backups.path().to_owned(), "BACKUPS")];
            paths.iter().fold(failed(output, 1), |text, (path, name)| text.replace(path.to_str().unwrap(), name))
        };
        let restore = |served: &Served, more: &[&str]| {
            said(served.command("restore").arg(backups.path()).args(more).output().unwrap(), served)
        };
        let empty = Served::nothing(&[]);
        insta::assert_snapshot!(restore(&empty, &[]), @"supercargo: there is no backup in BACKUPS: pass the directory that you passed to `supercargo backup`");
        make(&served, backups.path(), &[]);
        insta::assert_snapshot!(restore(&empty, &["--at", "2020-01-01T00-00-00Z"]).split(": choose one of").next().unwrap(), @r#"supercargo: there is no backup "2020-01-01T00-00-00Z" in BACKUPS"#);
        std::fs::create_dir(empty.data_dir()).unwrap();
        std::fs::write(empty.data_dir().join("thesis"), "x").unwrap();
        insta::assert_snapshot!(restore(&empty, &[]), @"supercargo: the data directory DATA is not empty (it contains thesis): move that away, or choose an empty directory with --data-dir");
        assert_eq!(names(&empty.data_dir()), ["thesis"]);
        // The content of the database stays, and the new data directory is removed.
        let mut full = Served::nothing(&[]);
        full.database = crate::support::cluster::Database::fresh();
        std::fs::create_dir(full.data_dir()).unwrap();
        std::fs::write(full.data_dir().join("supercargo.toml"), "max-features = 7\n").unwrap();
        insta::assert_snapshot!(restore(&full, &[]), @"supercargo: the database is not empty: restore into an empty one");
        assert_eq!(names(&full.data_dir()), ["supercargo.toml"]);
        std::fs::write(full.data_dir().join("restoring"), "").unwrap();
        insta::assert_snapshot!(said(full.command("serve").args(["--listen", "127.0.0.1:0"]).output().unwrap(), &full), @"supercargo: the restore into DATA did not finish: remove the directory, empty the database if it is an external one, and restore again");
    }

    #[test]
    fn a_registry_in_s3_is_backed_up_and_restored_into_another_bucket() {
        let (here, there) = (S3Server::start(), S3Server::start());
        let arguments = here.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let served = Served::start(&arguments);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let backups = tempfile::tempdir().unwrap();
        let made = make(&served, backups.path(), &arguments);
        assert_eq!((&made["new_files"], &made["linked_files"]), (&Value::from(1), &Value::from(0)));
        let object = crate::support::s3::path_of(&Package::new("foo", "1.0.0").crate_file());
        std::fs::write(here.objects().join("registry").join(object), "damaged").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let said = failed(served.command("backup").arg(elsewhere.path()).args(&arguments).output().unwrap(), 3);
        assert!(said.contains("the backup lacks the crate file of foo@1.0.0: it is damaged"), "{said}");
        assert_eq!(crate_files(elsewhere.path()), Vec::<PathBuf>::new());
        let arguments = there.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut restored = Served::nothing(&arguments);
        succeeded(restored.command("restore").arg(backups.path()).args(&arguments).output().unwrap());
        restored.start_again();
        assert_in_agreement(&restored);
    }

    #[test]
    fn a_registry_with_a_long_path_is_backed_up_checked_and_restored() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let directory = open_directory();
        let backups = directory.path().join("backups");
        make(&served, &backups, &[]);
        let long = directory.path().join("l".repeat(120));
        let on_a_private_database = |subcommand: &str, path: &Path| {
            let mut command = supercargo();
            succeeded(command.arg(subcommand).arg(path).arg("--data-dir").arg(&long).output().unwrap())
        };
        on_a_private_database("restore", &backups);
        let again = directory.path().join("again");
        on_a_private_database("backup", &again);
        let temporary = directory.path().join("t".repeat(120));
        std::fs::create_dir(&temporary).unwrap();
        std::fs::set_permissions(&temporary, PermissionsExt::from_mode(0o755)).unwrap();
        let mut check = supercargo();
        check.args(["backup", "--check"]).arg(&again).env("TMPDIR", &temporary);
        assert!(succeeded(check.output().unwrap()).contains("; restored into a temporary registry in "));
        assert_eq!(names(&temporary), Vec::<String>::new());
    }

    #[test]
    fn a_check_removes_what_a_killed_one_left_and_nothing_of_one_that_runs() {
        let served = Served::start(&[]);
        publish(&served, &served.token("ann"), "foo", "1.0.0");
        let directory = open_directory();
        let (backups, temporary) = (directory.path().join("backups"), directory.path().join("temporary"));
        make(&served, &backups, &[]);
        std::fs::create_dir(&temporary).unwrap();
        std::fs::set_permissions(&temporary, PermissionsExt::from_mode(0o755)).unwrap();
        // Without the lock file of a check it is not removed.
        std::fs::create_dir(temporary.join("supercargo-check-other")).unwrap();
        let git = directory.path().join("git-that-waits");
        let script = format!(
            "#!/bin/sh\ntouch {0}/waits; while [ ! -e {0}/go ]; do sleep 0.02; done\n",
            directory.path().display()
        );
        std::fs::write(&git, script).unwrap();
        std::fs::set_permissions(&git, PermissionsExt::from_mode(0o755)).unwrap();
        let command = || {
            let mut check = served.command("backup");
            check.arg("--check").arg(&backups).env("TMPDIR", &temporary);
            check
        };
        let mut running = command().arg("--git").arg(&git).stdout(Stdio::null()).spawn().unwrap();
        wait_until("the throw-away database runs", || directory.path().join("waits").exists());
        let made = names(&temporary);
        assert_eq!(made.len(), 3, "{made:?}");
        succeeded(command().output().unwrap());
        assert_eq!(names(&temporary), made);
        running.kill().unwrap();
        running.wait().unwrap();
        std::fs::write(directory.path().join("go"), "").unwrap();
        // Its PostgreSQL ends a moment later.
        wait_until("what it left to be removed", || {
            succeeded(command().output().unwrap());
            names(&temporary) == ["supercargo-check-other"]
        });
    }

    #[test]
    fn a_check_where_nothing_can_be_made_says_how_to_choose_another_place() {
        let served = Served::start(&[]);
        let directory = open_directory();
        let (backups, closed) = (directory.path().join("backups"), directory.path().join("closed"));
        make(&served, &backups, &[]);
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
        let said = |temporary: &Path| {
            let mut check = served.command("backup");
            let said = failed(check.arg("--check").arg(&backups).env("TMPDIR", temporary).output().unwrap(), 1);
            let begin = format!("supercargo: cannot restore the backup for a trial in {}: ", temporary.display());
            assert!(said.starts_with(&begin), "{said}");
            let end = ": set TMPDIR to another directory, or use --checksums-only, which needs none\n";
            assert!(said.ends_with(end), "{said}");
            said
        };
        assert!(said(Path::new("/nonexistent")).contains("No such file or directory"));
        // As root, PostgreSQL runs as another user, who cannot enter the directory. Otherwise it is the owner, who can.
        if nix::unistd::geteuid().is_root() {
            assert!(!said(&closed).contains("--data-dir"));
        }
    }
}
