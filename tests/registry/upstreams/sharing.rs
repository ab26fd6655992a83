//! Several machines with one cache: index files in the database, crate files in a bucket.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::json;
use supercargo::database::upstream_sharing::index_files;
use supercargo::package::Checksum;
use supercargo::upstream_cache::shared_file;

use super::{ALWAYS_FRESH, FOO, NEVER_FRESH, OLD};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::proxy::Proxy;
use crate::support::s3::S3Server;

const FILE: &str = "/dl/foo/1.0.0";
const IN_DATABASE: [&str; 2] = ["--upstream-index-in", "database"];

/// An upstream with `foo` 1.0.0, and machines with one database through which it is reached.
struct Machines {
    upstream: FaultyUpstream,
    installation: Served,
    arguments: Vec<String>,
}

impl Machines {
    fn new(arguments: &[&str]) -> Self {
        let upstream = FaultyUpstream::start();
        upstream.add(&Package::new("foo", "1.0.0"), OLD);
        let of_upstream = ["--upstream".to_owned(), format!("other={}", upstream.sparse())];
        let arguments = arguments.iter().map(|&one| one.to_owned()).chain(of_upstream).collect();
        Self { upstream, installation: Served::stopped(), arguments }
    }

    fn sharing(arguments: &[&str]) -> Self {
        Self::new(&[arguments, &IN_DATABASE].concat())
    }

    fn start(&mut self, name: &str) -> Machine {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Machine(self.installation.start_elsewhere(name, &arguments))
    }

    fn two(&mut self) -> (Machine, Machine) {
        (self.start("first"), self.start("second"))
    }

    fn connect(&self) -> PgConnection {
        self.installation.database.connect()
    }

    /// Waits until a machine looks whether the lease of another one has ended.
    fn wait_until_one_waits(&self) {
        #[derive(QueryableByName)]
        struct Sessions {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let mut connection = self.connect();
        wait_until("a machine to wait", || {
            let query = diesel::sql_query(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND query LIKE 'SELECT subject FROM upstream_requests%'",
            );
            query.get_result::<Sessions>(&mut connection).unwrap().count > 0
        });
    }
}

/// The URL of a machine.
struct Machine(String);

impl Machine {
    fn index(&self, path: &str) -> Reply {
        http::get(&format!("{}/upstream/other/index/{path}", self.0))
    }

    fn download(&self, version: &str) -> Reply {
        http::get(&format!("{}/upstream/other/api/v1/crates/foo/{version}/download", self.0))
    }
}

/// Two machines ask for the same at the same time: the second one waits until the upstream answers the first one.
fn both(machines: &Machines, path: &str, answer: Behaviour, ask: [&(dyn Fn() -> Reply + Sync); 2]) -> [Reply; 2] {
    std::thread::scope(|scope| {
        let first = scope.spawn(ask[0]);
        wait_until("the upstream to be asked", || machines.upstream.count(path) == 1);
        let second = scope.spawn(ask[1]);
        machines.wait_until_one_waits();
        machines.upstream.set(path, answer);
        [first.join().unwrap(), second.join().unwrap()]
    })
}

#[test]
fn an_index_file_is_requested_once_for_all_machines() {
    let mut machines = Machines::sharing(&ALWAYS_FRESH);
    let (first, second) = machines.two();
    let answer = machines.upstream.behaviour(FOO).unwrap();
    machines.upstream.set(FOO, Behaviour::Stall);
    let replies = both(&machines, FOO, answer, [&|| first.index("3/f/foo"), &|| second.index("3/f/foo")]);
    assert_eq!(replies[0].body, replies[1].body);
    assert!(replies[0].text().contains("1.0.0"), "{}", replies[0].text());
    assert_eq!(machines.upstream.count(FOO), 1);
    // And later, by one that was not there.
    assert_eq!(machines.start("newcomer").index("3/f/foo").good().body, replies[0].body);
    assert_eq!(machines.upstream.count(FOO), 1);
    assert!(!machines.installation.directory.path().join("first/upstream-index").exists());
}

#[test]
fn what_one_machine_was_sent_the_others_confirm_and_have_without_the_upstream() {
    let mut machines = Machines::sharing(&NEVER_FRESH);
    let (first, second) = machines.two();
    let kept = first.index("3/f/foo").good().body;
    // Within the first milliseconds what the first one was sent is fresh.
    wait_until("the second one to ask", || {
        assert_eq!(second.index("3/f/foo").good().body, kept);
        machines.upstream.count(FOO) > 1
    });
    let requests = machines.upstream.requests(FOO);
    assert!(requests[1].find("if-none-match").is_some(), "{requests:?}");
    machines.upstream.add(&Package::new("foo", "1.1.0"), OLD);
    wait_until("the new version", || second.index("3/f/foo").text().contains("1.1.0"));
    machines.upstream.stop();
    // The first one has not asked since.
    assert!(first.index("3/f/foo").good().text().contains("1.1.0"));
    assert!(machines.start("newcomer").index("3/f/foo").good().text().contains("1.1.0"));
}

#[test]
fn an_absent_crate_is_asked_for_once_by_all_machines() {
    let mut machines = Machines::sharing(&ALWAYS_FRESH);
    let (first, second) = machines.two();
    assert_eq!([first.index("3/b/bar").status, second.index("3/b/bar").status], [404, 404]);
    assert_eq!(machines.upstream.count("/index/3/b/bar"), 1);
}

/// The line of `foo` 1.0.0 with another checksum.
fn changed_line() -> Behaviour {
    let line = json!({
        "name": "foo", "vers": "1.0.0", "deps": [], "cksum": "0".repeat(64), "features": {}, "yanked": false, "pubtime": OLD,
    });
    Behaviour::tagged("\"changed\"", format!("{line}\n"))
}

#[test]
fn a_first_checksum_that_one_machine_saw_is_known_to_all() {
    let mut machines = Machines::sharing(&NEVER_FRESH);
    let (first, second) = machines.two();
    first.index("3/f/foo").good();
    // It has vanished for another machine, and comes back as another one.
    let other = Package::new("foo", "2.0.0");
    machines.upstream.remove(FOO);
    machines.upstream.add(&other, OLD);
    wait_until("the version to vanish", || !second.index("3/f/foo").good().text().contains("1.0.0"));
    machines.upstream.set(FOO, changed_line());
    for machine in [&first, &second, &machines.start("newcomer")] {
        wait_until("the line", || machine.index("3/f/foo").good().text().contains("1.0.0"));
        assert!(machine.index("3/f/foo").text().contains("\"yanked\":true"));
        let refused = machine.download("1.0.0");
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert!(refused.text().contains("other has changed foo@1.0.0"), "{}", refused.text());
    }
}

#[test]
fn what_a_machine_kept_in_its_directory_is_known_when_the_files_are_shared() {
    let mut machines = Machines::new(&NEVER_FRESH);
    machines.start("first").index("3/f/foo").good();
    assert!(machines.installation.directory.path().join("first/upstream-index/other/3/f/foo").exists());
    machines.installation.kill_one(0);
    machines.upstream.set(FOO, changed_line());
    machines.arguments.extend(IN_DATABASE.map(str::to_owned));
    let first = machines.start("first");
    assert!(first.index("3/f/foo").good().text().contains("\"yanked\":true"));
    assert!(machines.start("second").index("3/f/foo").good().text().contains("\"yanked\":true"));
}

#[test]
fn without_the_database_a_machine_serves_what_memory_has_and_asks_for_the_rest() {
    let mut machines = Machines::sharing(&ALWAYS_FRESH);
    machines.upstream.add(&Package::new("bar", "1.0.0"), OLD);
    let proxy = Proxy::before(&machines.installation.database.url());
    let arguments: Vec<String> = machines.arguments.clone();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let first = Machine(machines.installation.start_elsewhere_with("first", &proxy.url(), &arguments));
    let kept = first.index("3/f/foo").good().body;
    proxy.stall();
    assert_eq!(first.index("3/f/foo").good().body, kept);
    let fetched = first.index("3/b/bar").good().body;
    assert_eq!(machines.upstream.count("/index/3/b/bar"), 1);
    proxy.cut();
    proxy.recover();
    // It is in the database when it was confirmed.
    let mut connection = machines.connect();
    assert_eq!(shared_file::read(&mut connection, "other", "3/b/bar").unwrap(), None);
    machines.installation.kill_one(0);
    let second = machines.start("second");
    assert_eq!(second.index("3/b/bar").good().body, fetched);
    assert_eq!(shared_file::read(&mut connection, "other", "3/b/bar").unwrap().unwrap().file.unwrap().content, fetched);
}

#[test]
fn what_was_fetched_without_the_database_is_written_when_it_is_back() {
    let mut machines = Machines::sharing(&NEVER_FRESH);
    let proxy = Proxy::before(&machines.installation.database.url());
    let arguments: Vec<String> = machines.arguments.clone();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let first = Machine(machines.installation.start_elsewhere_with("first", &proxy.url(), &arguments));
    // Another machine has seen it with another checksum, which this one cannot know.
    let second = machines.start("second");
    second.index("3/f/foo").good();
    machines.upstream.set(FOO, changed_line());
    proxy.stall();
    assert!(first.index("3/f/foo").good().text().contains("\"yanked\":false"));
    proxy.cut();
    proxy.recover();
    wait_until("the first checksum", || first.index("3/f/foo").good().text().contains("\"yanked\":true"));
}

#[test]
fn a_damaged_file_of_the_database_is_fetched_again() {
    let mut machines = Machines::sharing(&ALWAYS_FRESH);
    let kept = machines.start("first").index("3/f/foo").good().body;
    let mut connection = machines.connect();
    connection.batch_execute("UPDATE upstream_index_files SET content = substr(content, 1, 20)").unwrap();
    assert_eq!(machines.start("second").index("3/f/foo").good().body, kept);
    assert_eq!(machines.upstream.count(FOO), 2);
    let row = index_files::read(&mut connection, "other", "3/f/foo").unwrap().unwrap();
    assert!(row.content.len() > 20);
}

#[test]
fn a_crate_file_is_fetched_once_for_all_machines_with_a_bucket() {
    let store = S3Server::start();
    let in_store = store.arguments();
    let in_store: Vec<&str> = in_store.iter().map(String::as_str).collect();
    // With a bucket index files are in the database.
    let mut machines = Machines::new(&[&in_store[..], &ALWAYS_FRESH].concat());
    let (first, second) = machines.two();
    let Some(Behaviour::File(_, file)) = machines.upstream.behaviour(FILE) else { panic!("no file") };
    machines.upstream.set(FILE, Behaviour::Stall);
    first.index("3/f/foo").good();
    second.index("3/f/foo").good();
    let ask: [&(dyn Fn() -> Reply + Sync); 2] = [&|| first.download("1.0.0"), &|| second.download("1.0.0")];
    let replies = both(&machines, FILE, Behaviour::file(file.clone()), ask);
    assert_eq!([replies[0].status, replies[1].status], [200, 200]);
    assert!(replies.iter().all(|reply| reply.body == file));
    assert_eq!((machines.upstream.count(FILE), machines.upstream.count(FOO)), (1, 1));
    let object = store.objects().join("registry/upstream").join(crate::support::s3::path_of(&file));
    assert_eq!(Checksum::of(&std::fs::read(object).unwrap()), Checksum::of(&file));
}

#[test]
fn no_lease_is_left_when_all_is_answered() {
    #[derive(QueryableByName)]
    struct Leased {
        #[diesel(sql_type = Text)]
        subject: String,
    }
    let mut machines = Machines::sharing(&NEVER_FRESH);
    let (first, second) = machines.two();
    machines.upstream.set("/index/3/b/bar", Behaviour::status(500));
    for machine in [&first, &second] {
        machine.index("3/f/foo").good();
        assert_eq!([machine.index("3/b/bar").status, machine.index("3/b/baz").status], [503, 404]);
    }
    let mut connection = machines.connect();
    let leased: Vec<Leased> =
        diesel::sql_query("SELECT subject FROM upstream_requests WHERE leased_until IS NOT NULL OR holder IS NOT NULL")
            .load(&mut connection)
            .unwrap();
    assert_eq!(leased.into_iter().map(|one| one.subject).collect::<Vec<_>>(), Vec::<String>::new());
}

pub mod slow {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_lease_of_a_machine_that_died_ends_by_itself() {
        let mut machines = Machines::sharing(&ALWAYS_FRESH);
        let (first, second) = machines.two();
        let answer = machines.upstream.behaviour(FOO).unwrap();
        machines.upstream.set(FOO, Behaviour::Stall);
        std::thread::scope(|scope| {
            let gone = scope.spawn(|| ureq::get(&format!("{}/upstream/other/index/3/f/foo", first.0)).call().is_err());
            wait_until("the upstream to be asked", || machines.upstream.count(FOO) == 1);
            machines.installation.kill_one(0);
            assert!(gone.join().unwrap());
            let asked = Instant::now();
            let waiting = scope.spawn(|| second.index("3/f/foo"));
            wait_until("the other machine to ask", || machines.upstream.count(FOO) == 2);
            machines.upstream.set(FOO, answer);
            assert!(waiting.join().unwrap().good().text().contains("1.0.0"));
            assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
        });
    }

    #[test]
    fn a_lease_is_renewed_while_its_machine_waits_for_the_upstream() {
        let mut machines = Machines::sharing(&ALWAYS_FRESH);
        let (first, second) = machines.two();
        let answer = machines.upstream.behaviour(FOO).unwrap();
        machines.upstream.set(FOO, Behaviour::Stall);
        std::thread::scope(|scope| {
            let clients = [scope.spawn(|| first.index("3/f/foo")), scope.spawn(|| second.index("3/f/foo"))];
            wait_until("the upstream to be asked", || machines.upstream.count(FOO) > 0);
            // Longer than a lease that is not renewed.
            std::thread::park_timeout(Duration::from_secs(14));
            assert_eq!(machines.upstream.count(FOO), 1);
            machines.upstream.set(FOO, answer);
            for client in clients {
                client.join().unwrap().good();
            }
        });
        assert_eq!(machines.upstream.count(FOO), 1);
    }

    #[test]
    fn a_machine_that_waits_too_long_for_another_one_fetches_a_crate_file_itself() {
        let store = S3Server::start();
        let in_store = store.arguments();
        let in_store: Vec<&str> = in_store.iter().map(String::as_str).collect();
        let mut machines = Machines::new(&[&in_store[..], &ALWAYS_FRESH].concat());
        let (first, second) = machines.two();
        let Some(Behaviour::File(_, file)) = machines.upstream.behaviour(FILE) else { panic!("no file") };
        machines.upstream.set(FILE, Behaviour::Stall);
        std::thread::scope(|scope| {
            let clients = [scope.spawn(|| first.download("1.0.0")), scope.spawn(|| second.download("1.0.0"))];
            wait_until("both machines to ask", || machines.upstream.count(FILE) == 2);
            machines.upstream.set(FILE, Behaviour::file(file.clone()));
            for client in clients {
                assert_eq!(client.join().unwrap().good().body, file);
            }
        });
    }
}
