//! The upgrade of the embedded PostgreSQL to another major version.
//!
//! Both servers run, each on a cluster of its own. The new one gets the schema by the migrations that the old one has, and
//! the rows by COPY from one snapshot. Everything is compared after the new server was restarted, and only then do the
//! clusters change places, see `postgres::embedded::upgrade`. Until then the old cluster is only read.

mod catalog;
mod copy;
mod server_settings;
mod space;
mod verify;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::space::Needed;
use crate::fault;
use crate::postgres::embedded::upgrade::{self, Programs};
use crate::postgres::embedded::{Cluster, Options};
use crate::postgres::session::Session;
use crate::postgres::versions;
use crate::process::CommandError;

/// An upgrade that can begin.
#[derive(Debug)]
pub struct Plan {
    cluster: Options,
    pub old: Programs,
    pub new: Programs,
    needed: Needed,
}

/// What there is to do.
#[derive(Debug)]
pub enum Task {
    Upgrade(Box<Plan>),
    /// The cluster has the version of the newest programs. An interrupted upgrade may have been finished now.
    Nothing {
        major: u32,
        finished: Option<PathBuf>,
    },
}

/// An upgrade that was made.
#[derive(Debug)]
pub struct Done {
    /// The versions of the servers, such as `15.18`.
    pub versions: (String, String),
    pub tables: usize,
    pub rows: u64,
    /// Where the old cluster is kept.
    pub kept: PathBuf,
    /// Sentences about settings that were not moved.
    pub left_out: Vec<String>,
    pub took: Duration,
}

impl Task {
    /// Decides what to do, with the programs of the newest version or of `cluster.postgres_bin_dir`. The caller holds the
    /// lock of the data directory.
    pub fn of(cluster: Options, old_bin_dir: Option<PathBuf>) -> Result<Self, CommandError> {
        let finished = upgrade::settle(&cluster.data_dir)?;
        let Some(major) = upgrade::major_of(&cluster.data_dir)? else {
            return Err(CommandError::new(format!(
                "there is no database in {} to upgrade: `supercargo serve` creates one, and --data-dir names another directory",
                cluster.data_dir.display()
            )));
        };
        let new = upgrade::newest_programs(cluster.postgres_bin_dir.as_deref())?;
        if new.major == major {
            return Ok(Self::Nothing { major, finished });
        }
        if new.major < major || versions::is_too_old(new.major) {
            return Err(CommandError::new(format!(
                "the database in {} was created by PostgreSQL {major}, and the programs in {} are those of PostgreSQL {}: name \
                 the programs of a later version (and of {} at least) with --postgres-bin-dir; a downgrade is not possible",
                cluster.data_dir.display(),
                new.directory.display(),
                new.major,
                versions::OLDEST
            )));
        }
        let old = upgrade::programs_of(old_bin_dir.as_deref(), major)?;
        let needed = Needed::beside(&cluster.data_dir.join("postgres"))?;
        Ok(Self::Upgrade(Box::new(Plan { cluster, old, new, needed })))
    }
}

impl Plan {
    /// The space that the new cluster needs for a while, and that of the old one, in bytes.
    pub fn space(&self) -> (u64, u64) {
        (self.needed.new, self.needed.old)
    }

    /// Refuses an upgrade for which the disk has no space. What an interrupted upgrade left is removed at the start of the
    /// next one, and does not count.
    pub fn check_space(&self) -> Result<(), CommandError> {
        let data_dir = &self.cluster.data_dir;
        self.needed.check(data_dir, &upgrade::directory(data_dir))
    }

    /// Upgrades. After an error there is the old cluster and nothing else.
    pub fn run(&self) -> Result<Done, CommandError> {
        let begun = Instant::now();
        self.check_space()?;
        upgrade::discard(&self.cluster.data_dir)?;
        let made = self.make_new();
        if made.is_err() {
            upgrade::discard(&self.cluster.data_dir)?;
        }
        let made = made?;
        let kept = upgrade::swap(&self.cluster.data_dir)?;
        Ok(Done { kept, took: begun.elapsed(), ..made })
    }

    /// Makes the new cluster beside the old one; neither runs afterwards.
    fn make_new(&self) -> Result<Done, CommandError> {
        let running =
            Cluster::start(&Options { postgres_bin_dir: Some(self.old.directory.clone()), ..self.cluster.clone() })?;
        let made = open_snapshot(&running.url()).and_then(|mut old| self.make_from(&mut old));
        running.stop()?;
        made
    }

    fn make_from(&self, old: &mut Session) -> Result<Done, CommandError> {
        let tables = catalog::tables(old)?;
        let mut rows = 0;
        for table in &tables {
            rows += catalog::count(old, table)?;
        }
        let running = upgrade::start_beside(&self.cluster, &self.new)?;
        fault::point("upgrade.created")?;
        let left_out = fill(old, &running.url(), &tables, rows)?;
        running.stop()?;
        fault::point("upgrade.copied")?;
        // Started again, it has its settings, and nothing that is compared comes from its memory.
        let running = upgrade::start_beside(&self.cluster, &self.new)?;
        fault::point("upgrade.started_again")?;
        let mut new = catalog::open(&running.url())?;
        let rows = verify::verify(old, &mut new, &tables, rows)?;
        let versions = (catalog::version(old)?, catalog::version(&mut new)?);
        drop(new);
        running.stop()?;
        fault::point("upgrade.verified")?;
        Ok(Done { versions, tables: tables.len(), rows, kept: PathBuf::new(), left_out, took: Duration::ZERO })
    }
}

/// Opens the old database and begins a transaction that sees one state of it.
fn open_snapshot(url: &str) -> Result<Session, CommandError> {
    let mut old = catalog::open(url)?;
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    Ok(old)
}

/// Moves schema, rows and settings into a new database.
fn fill(old: &mut Session, url: &str, tables: &[catalog::Table], rows: u64) -> Result<Vec<String>, CommandError> {
    copy::create_schema(old, url)?;
    let mut new = catalog::open(url)?;
    copy::refuse_unknown(old, &mut new)?;
    copy::copy(old, &mut new, tables, rows)?;
    Ok(server_settings::copy(old, &mut new)?)
}
