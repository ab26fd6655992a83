//! The cluster that everything is measured on, and pgbench.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use supercargo::database::migrations;
use supercargo::postgres::embedded::{Cluster, Options};
use tempfile::TempDir;

use crate::Outcome;

pub struct Stage {
    // Stopped before its directory goes.
    cluster: Cluster,
    directory: TempDir,
    pgbench: PathBuf,
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    Durable,
    /// As in the sessions of workers.
    Lazy,
}

/// How much pgbench does.
#[derive(Clone, Copy)]
pub enum Amount {
    /// So many transactions, one after the other.
    Transactions(usize),
    /// So many a second for so many seconds, if it can.
    Paced { per_second: usize, seconds: usize },
}

impl Stage {
    pub fn new() -> Outcome<Self> {
        let pgbench = find_pgbench().ok_or("pgbench is not installed; it comes with PostgreSQL")?;
        let directory = tempfile::tempdir()?;
        // As root, PostgreSQL runs as another user, who has to get through.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
        let data_dir = directory.path().to_owned();
        let cluster = Cluster::start(&Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: false })?;
        let stage = Self { cluster, directory, pgbench };
        migrations::migrate(&mut stage.connect()?)?;
        Ok(stage)
    }

    /// How long the disk takes for a page that is to be safe, as it is now: the median of a hundred.
    pub fn flush_time(&self) -> Outcome<Duration> {
        let mut file = std::fs::File::create(self.directory.path().join("flushed"))?;
        let mut times = Vec::new();
        for _ in 0..100 {
            file.write_all(&[1; 8192])?;
            let begin = Instant::now();
            file.sync_data()?;
            times.push(begin.elapsed());
        }
        times.sort();
        Ok(times[times.len() / 2])
    }

    pub fn url(&self) -> String {
        self.cluster.url()
    }

    pub fn connect(&self) -> Outcome<PgConnection> {
        Ok(PgConnection::establish(&self.url())?)
    }

    /// Runs statements, the last of which may be a query that nobody reads.
    pub fn run(&self, statements: &str) -> Outcome<()> {
        Ok(self.connect()?.batch_execute(statements)?)
    }

    /// Empty tables, and no checkpoint due.
    pub fn clear(&self) -> Outcome<()> {
        self.run("TRUNCATE jobs, dead_jobs, job_history")?;
        self.run("CHECKPOINT")
    }

    /// Clears, and makes `count` jobs due.
    pub fn fill(&self, kind: &str, count: usize) -> Outcome<()> {
        self.clear()?;
        self.run(&format!(
            "INSERT INTO jobs (queue, kind, payload)
             SELECT '{kind}', '{kind}', jsonb_build_object('number', number) FROM generate_series(1, {count}) AS number"
        ))?;
        self.run("VACUUM ANALYZE jobs")?;
        self.run("CHECKPOINT")
    }

    /// An error unless so many jobs wait.
    pub fn expect_waiting(&self, count: usize) -> Outcome<()> {
        self.expect("SELECT count(*) AS count FROM jobs", count)
    }

    /// An error unless so many jobs are done, each of them once, and no attempt failed.
    pub fn expect_receipts(&self, count: usize) -> Outcome<()> {
        self.expect("SELECT count(DISTINCT id) AS count FROM job_history WHERE outcome = 'done'", count)?;
        self.expect("SELECT count(*) AS count FROM job_history", count)
    }

    /// An error unless so many jobs are done and none is left.
    pub fn expect_done(&self, count: usize) -> Outcome<()> {
        self.expect_receipts(count)?;
        self.expect(
            "SELECT count(*) AS count FROM (SELECT id FROM jobs UNION ALL SELECT id FROM dead_jobs) AS pending",
            0,
        )
    }

    fn expect(&self, query: &str, expected: usize) -> Outcome<()> {
        #[derive(QueryableByName)]
        struct Counted {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let counted = sql_query(query).get_result::<Counted>(&mut self.connect()?)?.count;
        if counted == i64::try_from(expected)? {
            return Ok(());
        }
        Err(format!("{query}: expected {expected}, found {counted}").into())
    }

    /// Transactions a second of a pgbench script, without the time to connect.
    pub fn pgbench(&self, script: &str, commits: Commits, clients: usize, amount: Amount) -> Outcome<f64> {
        let file = self.directory.path().join("script.sql");
        std::fs::write(&file, script)?;
        let mut command = Command::new(&self.pgbench);
        command.args(["-n", "-M", "prepared", "-f"]).arg(&file);
        let amount = match amount {
            Amount::Transactions(count) => [("-t", count / clients)].to_vec(),
            Amount::Paced { per_second, seconds } => [("-R", per_second), ("-T", seconds)].to_vec(),
        };
        for (option, number) in [("-c", clients), ("-j", clients.min(2))].into_iter().chain(amount) {
            command.arg(option).arg(number.to_string());
        }
        if commits == Commits::Lazy {
            let worker = "-c synchronous_commit=off -c plan_cache_mode=force_generic_plan";
            command.env("PGOPTIONS", worker);
        }
        let output = command.arg(self.url()).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        match rate {
            Some(rate) if output.status.success() => Ok(rate),
            _ => Err(format!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }
}

/// On PATH, or where Debian and its like keep it.
fn find_pgbench() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("pgbench"));
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut of_debian: Vec<_> = versions.map(|version| version.path().join("bin/pgbench")).collect();
    of_debian.sort();
    on_path.chain(of_debian.into_iter().rev()).find(|file| Path::is_file(file))
}
