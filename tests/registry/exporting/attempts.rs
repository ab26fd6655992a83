//! Attempts that overlap, are late or were cut off, step by step on a real bucket and a real database.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use supercargo::crate_store::{Bucket, Written};
use supercargo::database::upkeep::index_exports;
use supercargo::index::{Change, ConfigJson, Index};
use supercargo::jobs::index_export::{
    Begun, Destination, Done, ExportError, Exporter, Invalidation, Lag, Scope, Work, begin, is_held, look,
};

use crate::support::cluster::Database;
use crate::support::s3::S3Server;

const PATH: &str = "3/f/foo";

/// A bucket of the test server, below the prefix of the copy.
pub fn bucket(server: &S3Server) -> Bucket {
    Bucket::open(&server.settings("index")).unwrap()
}

struct World {
    server: S3Server,
    database: Database,
    _directory: tempfile::TempDir,
    index: Index,
    destination: Destination,
}

impl World {
    fn new() -> Self {
        let (server, database, directory) = (S3Server::start(), Database::fresh(), tempfile::tempdir().unwrap());
        let index = Index::open_or_init(&directory.path().join("index.git")).unwrap();
        let destination =
            Destination { bucket: bucket(&server), cache_control: "no-cache".to_owned(), invalidation: None };
        index_exports::declare(&mut database.connect(), &destination.key()).unwrap();
        let world = Self { server, database, _directory: directory, index, destination };
        let config = ConfigJson { dl: "http://r/dl".to_owned(), api: "http://r".to_owned(), auth_required: false };
        world.commit(ConfigJson::PATH, Some(std::str::from_utf8(&config.to_bytes()).unwrap()));
        world
    }

    fn commit(&self, path: &str, content: Option<&str>) {
        let change = Change {
            path: path.to_owned(),
            content: content.map(|text| text.to_owned().into()),
            message: "Test".to_owned(),
        };
        let head = self.index.head().unwrap();
        self.index.lock_writer().unwrap().commit(&head, &[change]).unwrap();
    }

    /// The branch of a mirror that has not been fetched since the last commit.
    fn go_back(&self) {
        let git = std::process::Command::new("git")
            .arg("-C")
            .arg(self.index.path())
            .args(["update-ref", "HEAD", "HEAD~1"])
            .status();
        assert!(git.unwrap().success());
    }

    fn begin(&self, connection: &mut PgConnection) -> Option<Begun> {
        begin(connection, &self.index, &self.destination, Scope::Changes).unwrap()
    }

    fn exporter(&self) -> Exporter<'_> {
        let until = Instant::now() + Duration::from_secs(60);
        Exporter { index: &self.index, destination: &self.destination, until, progress: &() }
    }

    fn carry_out(&self, begun: &Begun) -> Result<Done, ExportError> {
        self.exporter().carry_out(begun, &mut || Ok(()))
    }

    /// A whole attempt.
    fn export(&self) -> Option<Done> {
        self.database
            .connect()
            .transaction::<_, ExportError, _>(|connection| {
                let Some(begun) = begin(connection, &self.index, &self.destination, Scope::Changes)? else {
                    return Ok(None);
                };
                let done = self.carry_out(&begun)?;
                self.exporter().record(connection, &begun, &done)?;
                Ok(Some(done))
            })
            .unwrap()
    }

    /// An attempt that has begun, and whose session was lost.
    fn begin_and_lose_the_session(&self) -> Begun {
        let mut connection = self.database.connect();
        connection.batch_execute("BEGIN").unwrap();
        self.begin(&mut connection).unwrap()
    }

    fn object(&self, path: &str) -> Option<String> {
        let read = self.destination.bucket.read(path).unwrap();
        read.map(|content| String::from_utf8(content.to_vec()).unwrap())
    }

    fn later(&self, seconds: u32) {
        let earlier = format!(
            "UPDATE index_exports SET checked_at = checked_at - interval '{seconds} s',
                                      settling_since = settling_since - interval '{seconds} s'"
        );
        self.database.connect().batch_execute(&earlier).unwrap();
    }
}

#[test]
fn an_attempt_writes_what_changed_and_records_the_commit() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    assert_eq!(world.export(), Some(Done { written: 2, removed: 0, unchanged: 0, owes: false }));
    assert_eq!(world.export(), None);
    world.commit(PATH, Some("b"));
    world.commit("3/b/bar", Some("x"));
    let state = index_exports::find(&mut world.database.connect(), &world.destination.key()).unwrap().unwrap();
    let head = world.index.head().unwrap().commit.unwrap();
    assert_eq!(Lag::of(&world.index, &state, head).unwrap().unwrap().commits, 2);
    assert_eq!(world.export(), Some(Done { written: 2, removed: 0, unchanged: 0, owes: false }));
    world.commit(PATH, None);
    assert_eq!(world.export(), Some(Done { written: 0, removed: 1, unchanged: 0, owes: false }));
    assert_eq!((world.object(PATH), world.object("3/b/bar")), (None, Some("x".to_owned())));
}

#[test]
fn of_two_processes_one_exports() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    let (mut one, mut other) = (world.database.connect(), world.database.connect());
    one.batch_execute("BEGIN").unwrap();
    assert!(world.begin(&mut one).is_some());
    other.batch_execute("BEGIN").unwrap();
    assert!(world.begin(&mut other).is_none());
    one.batch_execute("ROLLBACK").unwrap();
    assert!(world.begin(&mut other).is_some());
}

#[test]
fn an_index_that_is_behind_is_not_exported() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.commit(PATH, Some("b"));
    world.export();
    world.go_back();
    let mut connection = world.database.connect();
    for scope in [Scope::Changes, Scope::Everything, Scope::Rewrite] {
        let begun = begin(&mut connection, &world.index, &world.destination, scope);
        assert!(matches!(begun, Err(ExportError::Behind(_))), "{scope:?}");
    }
    // An attempt that was cut off is known by its objects only.
    connection.batch_execute("UPDATE index_exports SET commit_id = NULL").unwrap();
    let begun = begin(&mut connection, &world.index, &world.destination, Scope::Rewrite).unwrap().unwrap();
    let refused = world.carry_out(&begun).unwrap_err();
    assert!(matches!(refused, ExportError::Behind(_)), "{refused}");
    assert_eq!(world.object(PATH).as_deref(), Some("b"));
}

#[test]
fn an_attempt_ends_when_its_session_is_lost() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    let mut connection = world.database.connect();
    connection.batch_execute("BEGIN").unwrap();
    let begun = world.begin(&mut connection).unwrap();
    assert!(is_held(&mut connection).is_ok());
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = current_database() AND state = 'idle in transaction'";
    world.database.connect().batch_execute(end).unwrap();
    let ended = world.exporter().carry_out(&begun, &mut || is_held(&mut connection)).unwrap_err();
    assert!(matches!(ended, ExportError::Database(_)), "{ended}");
    assert_eq!(world.object(PATH), None);
}

#[test]
fn what_a_cut_off_attempt_wrote_or_the_next_one_writes_is_no_difference() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    let mut connection = world.database.connect();
    let mut differs = || {
        let looked = look(&mut connection, &world.index, &world.destination, PATH).unwrap().unwrap();
        looked.expected != looked.found
    };
    world.commit(PATH, Some("b"));
    assert!(!differs());
    let cut_off = world.begin_and_lose_the_session();
    world.carry_out(&cut_off).unwrap();
    world.commit(PATH, Some("c"));
    assert_eq!(world.object(PATH).as_deref(), Some("b"));
    assert!(!differs());
    std::fs::write(world.server.objects().join("index").join(PATH), "damaged").unwrap();
    world.export();
    assert!(!differs());
    world.destination.bucket.remove(PATH).unwrap();
    assert!(differs());
}

#[test]
fn an_invalidation_that_is_owed_is_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    let paths = directory.path().join("paths");
    let said = || std::fs::read_to_string(&paths).unwrap_or_default();
    let mut world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    let command = format!("cat >> {}", paths.display());
    world.destination.invalidation = Some(Invalidation { command, limit: Duration::from_secs(30) });
    world.commit(PATH, Some("b"));
    world.export();
    assert_eq!(said(), "3/f/foo\n");
    // It is noted and committed before the second look writes.
    world.destination.bucket.remove(PATH).unwrap();
    world.later(61);
    let found = world.export().unwrap();
    assert!(found.owes && found.written == 0, "{found:?}");
    assert_eq!((world.object(PATH), said()), (None, "3/f/foo\n".to_owned()));
    assert_eq!(world.export().unwrap().written, 1);
    assert_eq!((world.object(PATH).as_deref(), &*said()), (Some("b"), "3/f/foo\n*\n"));
    assert_eq!(world.export(), None);
    // The command runs although there is nothing to write.
    let (mut one, mut other) = (world.database.connect(), world.database.connect());
    let key = world.destination.key();
    assert!(index_exports::owe_invalidation(&mut one, &key).unwrap());
    assert_eq!(world.export(), Some(Done::default()));
    assert_eq!(said(), "3/f/foo\n*\n*\n");
    // It is not waited for while another process exports.
    world.commit(PATH, Some("c"));
    one.batch_execute("BEGIN").unwrap();
    assert!(world.begin(&mut one).is_some());
    assert!(!index_exports::owe_invalidation(&mut other, &key).unwrap());
}

#[test]
fn an_attempt_that_lost_its_session_cannot_bring_back_what_it_read() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    world.commit(PATH, Some("b"));
    let late = world.begin_and_lose_the_session();
    for newer in ["c", "a"] {
        // "a" is what the object had when the late attempt began.
        world.commit(PATH, Some(newer));
        world.export();
        let refused = world.carry_out(&late).unwrap_err();
        assert!(matches!(refused, ExportError::Superseded { .. }), "{refused}");
        assert_eq!(world.object(PATH).as_deref(), Some(newer));
    }
    world.commit(PATH, None);
    world.export();
    // What was removed has no number. The second look finds what the late attempt wrote.
    let _ = world.carry_out(&late);
    world.later(61);
    world.export();
    assert_eq!(world.object(PATH), None);
}

#[test]
fn who_has_the_lock_goes_on_after_objects_of_a_database_whose_clock_was_ahead() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    let ahead = "UPDATE index_exports SET fence = fence + 1000000000";
    world.database.connect().batch_execute(ahead).unwrap();
    world.commit(PATH, Some("b"));
    world.export();
    world.database.connect().batch_execute("UPDATE index_exports SET fence = 1").unwrap();
    world.commit(PATH, Some("c"));
    let mut connection = world.database.connect();
    connection.batch_execute("BEGIN").unwrap();
    let mut begun = world.begin(&mut connection).unwrap();
    let refused = world.carry_out(&begun).unwrap_err();
    let ExportError::Superseded { theirs, .. } = refused else { panic!("{refused}") };
    world.exporter().raise(&mut connection, &mut begun, theirs).unwrap();
    world.carry_out(&begun).unwrap();
    assert_eq!(world.object(PATH).as_deref(), Some("c"));
}

#[test]
fn a_write_that_arrives_late_is_refused_or_found_at_the_second_look() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    // The request is on its way, with the condition of that moment.
    let seen = world.destination.bucket.look_at(PATH).unwrap();
    let headers = seen.as_ref().unwrap().headers.clone();
    let arrives = || world.destination.bucket.store(PATH, "b".into(), &headers, seen.as_ref()).unwrap();
    world.commit(PATH, Some("b"));
    world.commit(PATH, Some("c"));
    world.export();
    assert_eq!(arrives(), Written::Refused);
    assert_eq!(world.object(PATH).as_deref(), Some("c"));
    // Its condition is met again when the content is the former one.
    world.commit(PATH, Some("a"));
    world.export();
    assert_eq!(arrives(), Written::Stored);
    assert_eq!(world.export(), None);
    world.later(61);
    assert_eq!(world.export().unwrap().written, 1);
    assert_eq!(world.object(PATH).as_deref(), Some("a"));
    // A deletion has no condition.
    world.destination.bucket.remove(PATH).unwrap();
    world.later(61);
    assert_eq!(world.export().unwrap().written, 1);
    assert_eq!(world.object(PATH).as_deref(), Some("a"));
}

#[test]
fn the_second_looks_end_when_no_late_write_can_arrive() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    world.commit(PATH, Some("b"));
    world.export();
    let mut looks = 0;
    while {
        world.later(61);
        world.export()
    }
    .is_some()
    {
        looks += 1;
        assert!(looks < 100, "the looks do not end");
    }
    // Twice the horizon of twenty minutes at most.
    assert!((20..=45).contains(&looks), "{looks}");
}

#[test]
fn a_change_that_was_undone_after_a_kill_is_written_back() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.export();
    world.commit(PATH, Some("b"));
    // Killed after the object was written.
    let killed = world.begin_and_lose_the_session();
    world.carry_out(&killed).unwrap();
    assert_eq!(world.object(PATH).as_deref(), Some("b"));
    world.commit(PATH, Some("a"));
    world.export();
    assert_eq!(world.object(PATH).as_deref(), Some("a"));
}

#[test]
fn a_history_that_was_rewritten_is_compared_as_a_whole() {
    let world = World::new();
    world.commit(PATH, Some("a"));
    world.commit("3/b/bar", Some("x"));
    world.export();
    world
        .database
        .connect()
        .batch_execute("UPDATE index_exports SET commit_id = repeat('0', 40), settled_commit = repeat('0', 40)")
        .unwrap();
    world.commit(PATH, Some("b"));
    std::fs::remove_file(world.server.objects().join("index/3/b/bar")).unwrap();
    std::fs::write(world.server.objects().join("index/1-foreign"), "left alone").unwrap();
    let mut connection = world.database.connect();
    connection.batch_execute("BEGIN").unwrap();
    assert_eq!(world.begin(&mut connection).unwrap().work, Work::Everything);
    connection.batch_execute("ROLLBACK").unwrap();
    assert_eq!(world.export().unwrap().written, 2);
    assert_eq!((world.object(PATH).as_deref(), world.object("3/b/bar").as_deref()), (Some("b"), Some("x")));
    assert_eq!(world.object("1-foreign").as_deref(), Some("left alone"));
}

#[test]
fn a_private_index_is_not_exported() {
    let world = World::new();
    let config = ConfigJson { dl: "http://r/dl".to_owned(), api: "http://r".to_owned(), auth_required: true };
    world.commit(ConfigJson::PATH, Some(std::str::from_utf8(&config.to_bytes()).unwrap()));
    let mut connection = world.database.connect();
    let begun = begin(&mut connection, &world.index, &world.destination, Scope::Changes);
    assert!(matches!(begun, Err(ExportError::Private)));
    assert_eq!(world.object(ConfigJson::PATH), None);
}
