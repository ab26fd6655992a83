//! The primary server: after a failover, sessions of the old one must not be used.
//!
//! libpq finds the server that can be written (`target_session_attrs`). That is not enough while the old primary still
//! runs, or comes back as a second one: both can be written. They differ in their timeline, which a promotion increments.
//! So a process remembers the newest timeline that it has seen, in a file of its data directory across its starts, and
//! uses no session of an older one. Once it has seen the new primary, it never returns to the old one, whose rows are
//! out of date: an index file rendered from them would lack what was published on the new primary.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use diesel::sql_types::Text;
use diesel::{ConnectionError, PgConnection, QueryResult, sql_query};
use parking_lot::Mutex;

use crate::replace_file::replace_file;

/// How often other orders of the hosts are tried. With two hosts, one time in 64 the former primary is the first in each.
const OTHER_ORDERS: usize = 6;

/// Promotions that this process has noticed.
const FAILOVERS: &str = "supercargo_database_failovers_total";

/// The place of a session in one text: [`STANDBY`], or the cluster's identifier, the name of the current WAL file, and the
/// server's address. `CASE` keeps a standby from an error, whose message would depend on the server's language.
pub(super) const PLACE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby'
    ELSE system_identifier::text || ' ' || pg_walfile_name(pg_current_wal_lsn())
        || coalesce(' ' || host(inet_server_addr()) || ':' || inet_server_port()::text, '') END AS place
    FROM pg_control_system()";
/// The answer of a server in recovery.
pub(super) const STANDBY: &str = "standby";

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The cluster's identifier, which its standbys have too.
    system: i64,
    timeline: u32,
    /// The server's address; None for a socket.
    address: Option<String>,
}

/// Why a server is not used.
#[derive(Debug, thiserror::Error)]
pub enum NotThePrimary {
    #[error(
        "the server {found} is a former primary: this registry has used {newest} since. Stop that server and make it a standby \
         of the new primary{}", .file.as_deref().map(Kept).map(|kept| kept.to_string()).unwrap_or_default()
    )]
    Former { found: Place, newest: Place, file: Option<PathBuf> },
    #[error(
        "the server {found} belongs to another database cluster than {newest}, which this process has used until now: check \
         the hosts of --database-url, or start this process again if the database was replaced"
    )]
    OtherCluster { found: Place, newest: Place },
    #[error(
        "the server does not report its timeline, and this registry has used {newest}: it may be a former primary{}",
        .file.as_deref().map(Kept).map(|kept| kept.to_string()).unwrap_or_default()
    )]
    Hidden { newest: Place, file: Option<PathBuf> },
    #[error("the server is a standby")]
    Standby,
    #[error("the database does not answer")]
    Connect(#[from] ConnectionError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// The remedy if a newer timeline was given up on purpose.
struct Kept<'a>(&'a Path);

impl fmt::Display for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ". If the new one was given up, remove {} and start again", self.0.display())
    }
}

/// The newest primary that a process has used.
#[derive(Debug, Default)]
pub struct Primary {
    known: Mutex<Known>,
    /// The newest timeline; 0 before the first session.
    timeline: AtomicU32,
    /// Incremented when all sessions so far are to be replaced.
    generation: AtomicU64,
    file: Option<PathBuf>,
    /// Whether the file is written, and not only read.
    writes: AtomicBool,
    /// Whether the log says that the server hides its timeline.
    has_warned: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    newest: Option<Place>,
    /// Whether this process has a session of it, and has not only read of it in the file.
    in_use: bool,
}

/// When and where a session began.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// 0 if the server does not say.
    timeline: u32,
    generation: u64,
}

impl Primary {
    /// The primary that is remembered in a file. A process that is [to remember it](Self::remember) writes the file.
    pub fn remembered_in(file: PathBuf) -> Self {
        let newest = std::fs::read_to_string(&file).ok().and_then(|text| Place::parse(&text));
        let timeline = newest.as_ref().map_or(0, |place| place.timeline).into();
        let known = Mutex::new(Known { newest, in_use: false });
        Self { known, timeline, file: Some(file), ..Self::default() }
    }

    /// Writes the file from now on. Its directory must exist when the next session is opened.
    pub fn remember(&self) {
        self.writes.store(true, Ordering::SeqCst);
    }

    /// Opens a session of the primary. Of several hosts libpq takes the first that can be written; if that is a former primary,
    /// they are tried in another order.
    pub fn open(&self, url: &str) -> Result<(PgConnection, Since), NotThePrimary> {
        let mut opened = self.open_at(url);
        for _ in 0..OTHER_ORDERS {
            match opened {
                Err(NotThePrimary::Former { .. } | NotThePrimary::Hidden { .. } | NotThePrimary::Standby) => {
                    opened = self.open_at(&in_random_order(url));
                }
                opened => return opened,
            }
        }
        opened
    }

    fn open_at(&self, url: &str) -> Result<(PgConnection, Since), NotThePrimary> {
        let mut connection = PgConnection::establish(url)?;
        let since = self.check(&mut connection)?;
        Ok((connection, since))
    }

    /// Checks a new session: its server must not be one that was replaced.
    fn check(&self, connection: &mut PgConnection) -> Result<Since, NotThePrimary> {
        let generation = self.generation();
        let answer = answer_of(connection)?;
        self.admit_answer(answer.as_deref(), generation)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Checks the answer of a server to [`PLACE`]; None if it refuses one.
    pub(super) fn admit_answer(&self, answer: Option<&str>, generation: u64) -> Result<Since, NotThePrimary> {
        if answer == Some(STANDBY) {
            return Err(NotThePrimary::Standby);
        }
        let Some(found) = answer.and_then(Place::of) else { return self.admit_hidden(generation) };
        let timeline = found.timeline;
        self.admit(found)?;
        Ok(Since { timeline, generation })
    }

    /// A server that hides its timeline, as some managed ones do, is used only if no timeline is known: it may be a former
    /// primary.
    fn admit_hidden(&self, generation: u64) -> Result<Since, NotThePrimary> {
        let newest = self.known.lock().newest.clone();
        if let Some(newest) = newest {
            return Err(NotThePrimary::Hidden { newest, file: self.file.clone() });
        }
        // A command that ends soon says nothing.
        if self.writes.load(Ordering::SeqCst) && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("the database server does not report its timeline: a former primary is not recognized");
        }
        Ok(Since { timeline: 0, generation })
    }

    fn admit(&self, found: Place) -> Result<(), NotThePrimary> {
        let timeline = found.timeline;
        let mut known = self.known.lock();
        match &known.newest {
            Some(newest) if newest.system == found.system && newest.timeline > timeline => {
                let (newest, file) = (newest.clone(), self.file.clone());
                return Err(NotThePrimary::Former { found, newest, file });
            }
            Some(newest) if newest.system != found.system && known.in_use => {
                return Err(NotThePrimary::OtherCluster { found, newest: newest.clone() });
            }
            Some(newest) if newest.system == found.system && newest.timeline == timeline => {}
            former => {
                if let Some(former) = former.as_ref().filter(|former| former.system == found.system) {
                    tracing::warn!("the database has failed over: the primary is now {found}, and was {former}");
                    metrics::counter!(FAILOVERS).increment(1);
                }
                self.write(&found);
                known.newest = Some(found);
            }
        }
        known.in_use = true;
        self.timeline.store(timeline, Ordering::SeqCst);
        Ok(())
    }

    /// Whether a session is one of the newest primary.
    pub fn is_current(&self, since: Since) -> bool {
        let newest = self.timeline.load(Ordering::SeqCst);
        since.generation == self.generation() && (since.timeline == 0 || since.timeline >= newest)
    }

    /// Makes all sessions that are as old as this one outdated, so that each is replaced before it fails.
    pub fn leave(&self, since: Since, why: &str) {
        let (before, after) = (since.generation, since.generation + 1);
        if self.generation.compare_exchange(before, after, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            tracing::warn!("{why}: the connections to the database are opened again");
        }
    }

    /// Without the file, only a process that has seen the new primary refuses the old one.
    fn write(&self, place: &Place) {
        let Some(file) = self.file.as_ref().filter(|_| self.writes.load(Ordering::SeqCst)) else { return };
        if let Err(error) = replace_file(file, place.line().as_bytes()) {
            tracing::warn!(file = %file.display(), %error, "cannot remember the primary of the database");
        }
    }
}

/// The answer of a server to [`PLACE`]; None if it refuses one.
fn answer_of(connection: &mut PgConnection) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        place: String,
    }
    match sql_query(PLACE).get_result::<Row>(connection) {
        Ok(row) => Ok(Some(row.place)),
        Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::Unknown, refused)) => {
            // Not the error of a session that has broken.
            connection.batch_execute("SELECT 1")?;
            tracing::debug!(error = refused.message(), "the timeline of the database is not known");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The same hosts, tried in a random order.
pub(super) fn in_random_order(url: &str) -> String {
    const PARAMETER: &str = "load_balance_hosts=random";
    match (url.contains("://"), url.contains('?')) {
        (true, true) => format!("{url}&{PARAMETER}"),
        (true, false) => format!("{url}?{PARAMETER}"),
        (false, _) => format!("{url} {PARAMETER}"),
    }
}

/// Registers the help text.
pub fn describe() {
    metrics::describe_counter!(FAILOVERS, "Promotions of another database server that this process has noticed");
    metrics::counter!(FAILOVERS).absolute(0);
}

impl Place {
    /// The place in an answer to [`PLACE`].
    fn of(answer: &str) -> Option<Self> {
        let mut parts = answer.split_whitespace();
        let system = parts.next()?.parse().ok()?;
        // The name of a WAL file begins with the timeline, in eight hexadecimal digits.
        let timeline = u32::from_str_radix(parts.next()?.get(..8)?, 16).ok()?;
        Some(Self { system, timeline, address: parts.next().map(str::to_owned) })
    }

    fn line(&self) -> String {
        let address = self.address.as_deref().unwrap_or_default();
        format!("{} {} {address}\n", self.system, self.timeline)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split_whitespace();
        let (system, timeline) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { system, timeline, address: parts.next().map(str::to_owned) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = &self.address {
            write!(f, "{address} ")?;
        }
        write!(f, "(timeline {})", self.timeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(system: i64, timeline: u32, address: Option<&str>) -> Place {
        Place { system, timeline, address: address.map(str::to_owned) }
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for written in [place(7_713_717_721_567_554_488, 2, Some("10.0.0.1:5432")), place(-1, 1, None)] {
            assert_eq!(Place::parse(&written.line()), Some(written));
        }
        assert_eq!(Place::parse(""), None);
        assert_eq!(Place::parse("7 x"), None);
    }

    #[test]
    fn a_former_primary_is_refused_also_after_a_start() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("primary");
        let primary = Primary::remembered_in(file.clone());
        primary.remember();
        primary.admit(place(7, 1, Some("10.0.0.1:5432"))).unwrap();
        primary.admit(place(7, 2, Some("10.0.0.2:5432"))).unwrap();
        for primary in [primary, Primary::remembered_in(file.clone())] {
            let refused = primary.admit(place(7, 1, Some("10.0.0.1:5432"))).unwrap_err().to_string();
            let expected = "the server 10.0.0.1:5432 (timeline 1) is a former primary: this registry has used 10.0.0.2:5432 \
                            (timeline 2) since.";
            assert!(refused.starts_with(expected) && refused.contains(file.to_str().unwrap()), "{refused}");
            primary.admit(place(7, 2, Some("10.0.0.3:5432"))).unwrap();
        }
    }

    #[test]
    fn the_place_is_read_from_the_answer_of_a_server() {
        let found = Place::of("7713717721567554488 0000001A0000000000000003 10.0.0.1:5432");
        assert_eq!(found, Some(place(7_713_717_721_567_554_488, 26, Some("10.0.0.1:5432"))));
        assert_eq!(Place::of("-1 000000010000000000000003"), Some(place(-1, 1, None)));
        assert_eq!(Place::of("7 x"), None);
    }

    #[test]
    fn another_cluster_is_accepted_at_a_start_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("primary");
        let primary = Primary::remembered_in(file.clone());
        primary.remember();
        primary.admit(place(7, 3, None)).unwrap();
        assert!(matches!(primary.admit(place(8, 1, None)), Err(NotThePrimary::OtherCluster { .. })));
        Primary::remembered_in(file).admit(place(8, 1, None)).unwrap();
    }

    #[test]
    fn a_session_that_was_opened_before_a_promotion_or_on_a_server_that_was_left_is_not_current() {
        let primary = Primary::default();
        let since = |timeline, generation| Since { timeline, generation };
        primary.admit(place(7, 2, None)).unwrap();
        assert!(primary.is_current(since(2, 0)) && primary.is_current(since(0, 0)));
        assert!(!primary.is_current(since(1, 0)));
        primary.leave(since(2, 0), "a test");
        primary.leave(since(2, 0), "a test");
        assert!(!primary.is_current(since(2, 0)) && primary.is_current(since(2, 1)));
    }
}
