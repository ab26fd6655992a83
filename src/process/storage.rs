//! The data directory, database, index and crate store of a process.

use std::sync::Arc;

use diesel::{PgConnection, RunQueryDsl};

use super::buckets::{open_bucket, s3_settings};
use super::data_dir::permissions;
use super::data_dir::{self, DataDirLock};
use super::{hardening, pooler};
use crate::config::storage::DataDir;
use crate::config::{CrateStoreOptions, CrateStorePlace, IndexOptions, StorageOptions};
use crate::crate_store::CrateStore;
use crate::database::primary::NotThePrimary;
use crate::database::upkeep::backup::major_version;
use crate::database::{CheckedSession, Pool, Primary, migrations};
use crate::full_disk;
use crate::index::remote::Token;
use crate::index::{Credentials, GitProgram, Index, Remote, RemoteOptions};
use crate::postgres::embedded::{self, Cluster};
use crate::postgres::url::{each_server, malformed, with_defaults, without_secrets};
use crate::postgres::versions;
use crate::process::CommandError;

/// The directory, or the end of the prefix, of the crate files of upstreams.
const UPSTREAM: &str = "upstream";

/// How a process uses the crate store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRole {
    /// Stores crate files; one process per machine.
    Stores,
    /// Reads, adds and removes crate files, beside a process that stores them.
    Reads,
}

/// The open storage of this process.
pub struct Storage {
    pub data_dir: DataDir,
    pub database_url: String,
    /// The embedded PostgreSQL, if this process started it. Stopped before the lock is released.
    cluster: Option<Cluster>,
    lock: Option<DataDirLock>,
    primary: Arc<Primary>,
}

impl Storage {
    /// For the process that serves: locks the data directory, starts the embedded PostgreSQL unless a database URL is set, and
    /// migrates the schema.
    pub fn open(options: &StorageOptions, throwaway: bool) -> Result<Self, CommandError> {
        let data_dir = options.data_dir()?;
        data_dir::refuse_half_restored(&data_dir)?;
        let storage = Self::start(options, data_dir, throwaway)?;
        let mut connection = storage.connect()?;
        warn_of_newer_server(&mut connection)?;
        storage.refuse_shared_sessions()?;
        migrations::migrate(&mut connection)?;
        Ok(storage)
    }

    /// For a restore: an empty data directory, and a database without the schema.
    pub fn open_empty(options: &StorageOptions) -> Result<Self, CommandError> {
        let data_dir = options.data_dir()?;
        data_dir::create_empty(&data_dir)?;
        Self::start(options, data_dir, false)
    }

    /// Removes the marker of the unfinished restore, so that the registry can be served.
    pub fn finish_restore(&self) -> Result<(), CommandError> {
        data_dir::finish_restore(&self.data_dir)
    }

    fn start(options: &StorageOptions, data_dir: DataDir, throwaway: bool) -> Result<Self, CommandError> {
        hardening::warn_of_password(options.database_url.as_deref());
        data_dir::create(&data_dir)?;
        full_disk::watch(data_dir.path());
        permissions::close(&data_dir)?;
        let lock = Some(data_dir::lock(&data_dir)?);
        Ok(match options.database_url() {
            Some(url) => {
                let primary = Arc::new(Primary::remembered_in(data_dir.primary_file()));
                primary.remember();
                Self { data_dir, database_url: with_defaults(&url), cluster: None, lock, primary }
            }
            None => {
                let cluster = Cluster::start(&cluster_options(options, &data_dir, throwaway))?;
                Self { data_dir, database_url: cluster.url(), cluster: Some(cluster), lock, primary: Arc::default() }
            }
        })
    }

    /// For a process beside the one that serves.
    pub fn attach(options: &StorageOptions) -> Result<Self, CommandError> {
        let data_dir = options.data_dir()?;
        let database_url = match options.database_url() {
            Some(url) => with_defaults(&url),
            None if !data_dir.path().is_dir() => return Err(no_registry(&data_dir)),
            None => embedded::attach(data_dir.path())?.ok_or_else(|| {
                CommandError::new(format!(
                    "no database is running in {}: start `supercargo serve` on this data directory first, or set --database-url",
                    data_dir.path().display()
                ))
            })?,
        };
        full_disk::watch(data_dir.path());
        let primary = match options.database_url() {
            Some(_) => Primary::remembered_in(data_dir.primary_file()),
            None => Primary::default(),
        };
        let storage = Self { data_dir, database_url, cluster: None, lock: None, primary: Arc::new(primary) };
        migrations::check(&mut storage.connect()?)?;
        Ok(storage)
    }

    /// For operator commands: beside the process that serves, or alone.
    pub fn attach_or_start(options: &StorageOptions) -> Result<Self, CommandError> {
        let data_dir = options.data_dir()?;
        if options.database_url().is_some() {
            return Self::attach(options);
        }
        if !data_dir.path().is_dir() {
            return Err(no_registry(&data_dir));
        }
        if embedded::attach(data_dir.path())?.is_some() {
            return Self::attach(options);
        }
        Self::open(options, false)
    }

    /// Whether this process started the embedded PostgreSQL.
    pub fn is_embedded(&self) -> bool {
        self.cluster.is_some()
    }

    /// Refuses an external database behind a pooler that shares sessions. For processes that run jobs or answer requests.
    pub fn refuse_shared_sessions(&self) -> Result<(), CommandError> {
        if self.is_embedded() { Ok(()) } else { pooler::refuse_shared_sessions(&self.database_url) }
    }

    /// Remembers the primary of an external database in the data directory, for a process that goes on running.
    pub fn remember_primary(&self) {
        self.primary.remember();
    }

    pub fn connect(&self) -> Result<PgConnection, CommandError> {
        open(&self.database_url, &self.primary)
    }

    /// Opens a session, and gives the URL of its server alone, for programs that have to use the same server.
    pub fn connect_to_one(&self) -> Result<(PgConnection, String), CommandError> {
        let mut refused = Vec::new();
        for url in each_server(&self.database_url) {
            match open(&url, &self.primary) {
                Ok(connection) => return Ok((connection, url)),
                Err(error) => refused.push(error.to_string()),
            }
        }
        Err(CommandError::new(refused.join("; ")))
    }

    pub fn pool(&self, options: &StorageOptions) -> Pool {
        Pool::of_primary(&self.database_url, options.database_pool_size, Arc::clone(&self.primary))
    }

    /// For a session that is opened without Diesel.
    pub fn checked_session(&self) -> CheckedSession {
        CheckedSession::new(&self.database_url, Arc::clone(&self.primary))
    }

    /// Refuses to start if the database allows fewer connections than the process may need.
    pub fn check_connections(&self, for_requests: u32, for_jobs: usize) -> Result<(), CommandError> {
        #[derive(diesel::QueryableByName)]
        struct Allowed {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            allowed: i64,
        }
        let allowed: Allowed = diesel::sql_query(
            "SELECT least(
                current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
                    - coalesce(current_setting('reserved_connections', true)::bigint, 0),
                (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
                (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())) AS allowed",
        )
        .get_result(&mut self.connect()?)?;
        let needed = i64::from(for_requests) + i64::try_from(for_jobs).unwrap_or(i64::MAX);
        if needed > allowed.allowed {
            return Err(CommandError::new(format!(
                "the database allows {} connections, but this process may need {needed} ({for_requests} for requests, {for_jobs} \
                 for jobs): reduce --database-pool-size, or raise PostgreSQL's max_connections (or the limit of the \
                 role or the database)",
                allowed.allowed
            )));
        }
        Ok(())
    }

    /// Opens the index after checking that the git program works.
    pub fn index(&self, options: &StorageOptions) -> Result<Index, CommandError> {
        let git = git_program(options);
        git.check()?;
        Ok(Index::open_or_init_with(&self.data_dir.index(), git)?)
    }

    /// Opens the index for a process that may write it, or the mirror of its remote if one is set.
    pub fn index_or_mirror(&self, options: &StorageOptions, index: &IndexOptions) -> Result<Index, CommandError> {
        let Some(remote) = remote_options(index)? else {
            let index = self.index(options)?;
            index.expect_no_remote()?;
            return Ok(index);
        };
        let git = git_program(options);
        git.check()?;
        Ok(Index::open_mirror(&self.data_dir.index(), git, remote)?)
    }

    /// Opens the crate store. A bucket with wrong settings is refused. One that cannot be reached is logged and used
    /// nevertheless: only downloads and publishes need it, and it may come back.
    pub fn crate_store(&self, options: &CrateStoreOptions, role: StoreRole) -> Result<CrateStore, CommandError> {
        let directory = match &options.crate_store {
            Some(CrateStorePlace::Bucket { bucket, prefix }) => {
                return open_bucket(&s3_settings(options, bucket, prefix)?);
            }
            Some(CrateStorePlace::Directory(directory)) => std::path::absolute(directory)?,
            None => self.data_dir.crates(),
        };
        Ok(match role {
            StoreRole::Stores => {
                permissions::close_crates(&directory)?;
                full_disk::watch(&directory);
                CrateStore::local(&directory)?
            }
            StoreRole::Reads => CrateStore::attach(&directory)?,
        })
    }

    /// The store of the crate files of upstreams: beside the private ones, which no mistake here can remove.
    pub fn upstream_store(&self, options: &CrateStoreOptions, role: StoreRole) -> Result<CrateStore, CommandError> {
        let below = match &options.crate_store {
            Some(CrateStorePlace::Bucket { bucket, prefix }) => {
                let prefix = if prefix.is_empty() { UPSTREAM.to_owned() } else { format!("{prefix}/{UPSTREAM}") };
                return open_bucket(&s3_settings(options, bucket, &prefix)?);
            }
            Some(CrateStorePlace::Directory(directory)) => std::path::absolute(directory)?.join(UPSTREAM),
            None => self.data_dir.crates().join(UPSTREAM),
        };
        if role == StoreRole::Reads {
            return Ok(CrateStore::attach(&below)?);
        }
        std::fs::create_dir_all(&below)?;
        permissions::close_crates(&below)?;
        Ok(match role {
            StoreRole::Stores => CrateStore::local(&below)?,
            StoreRole::Reads => CrateStore::attach(&below)?,
        })
    }

    /// Stops the embedded PostgreSQL and releases the data directory.
    pub fn close(self) -> Result<(), CommandError> {
        let stopped = self.cluster.map_or(Ok(()), Cluster::stop);
        drop(self.lock);
        Ok(stopped?)
    }
}

/// The database for the log: its address without secrets, or `embedded`.
pub fn database_name(options: &StorageOptions) -> String {
    options.database_url().map_or_else(|| "embedded".to_owned(), |url| without_secrets(&url))
}

pub fn git_program(options: &StorageOptions) -> GitProgram {
    GitProgram { executable: options.git.clone(), search_path: options.search_path() }
}

/// The remote of the index, for a process without a mirror; None if none is set.
pub fn remote(options: &StorageOptions, index: &IndexOptions) -> Result<Option<Remote>, CommandError> {
    Ok(remote_options(index)?.map(|remote| Remote::new(remote, git_program(options))))
}

fn remote_options(index: &IndexOptions) -> Result<Option<RemoteOptions>, CommandError> {
    let Some(url) = &index.index_remote else { return Ok(None) };
    for (option, file) in index.files() {
        let readable = std::fs::File::open(file);
        readable
            .map_err(|error| CommandError::while_doing(format!("{option}: cannot read {}", file.display()), error))?;
        if option != "--index-ssh-known-hosts" {
            hardening::warn_of_readers(file, "the secret");
        }
    }
    let absolute = |file: &std::path::PathBuf| std::path::absolute(file);
    let token = match (index.index_token_file.as_ref().map(absolute).transpose()?, index.index_token()) {
        (Some(file), _) => Some(Token::InFile(file)),
        (None, given) => given.map(Token::Given),
    };
    Ok(Some(RemoteOptions {
        url: url.clone(),
        branch: index.index_branch.clone(),
        limit: index.index_push_timeout,
        credentials: Credentials {
            ssh_key: index.index_ssh_key.as_ref().map(absolute).transpose()?,
            ssh_known_hosts: index.index_ssh_known_hosts.as_ref().map(absolute).transpose()?,
            user: index.index_user.clone(),
            token,
        },
        environment: index.passed_on(),
    }))
}

fn no_registry(data_dir: &DataDir) -> CommandError {
    CommandError::new(format!(
        "there is no registry in {}: set --data-dir to its directory or --database-url to its database, or start one with \
         `supercargo serve`",
        data_dir.path().display()
    ))
}

fn cluster_options(options: &StorageOptions, data_dir: &DataDir, throwaway: bool) -> embedded::Options {
    embedded::Options {
        data_dir: data_dir.path().to_owned(),
        postgres_bin_dir: options.postgres_bin_dir.clone(),
        os_user: options.postgres_user.clone(),
        throwaway,
    }
}

/// Locks the data directory of a registry that is stopped, for work on its embedded PostgreSQL.
pub fn lock_stopped(options: &StorageOptions) -> Result<(embedded::Options, DataDirLock), CommandError> {
    let data_dir = options.data_dir()?;
    if !data_dir.path().is_dir() {
        return Err(no_registry(&data_dir));
    }
    data_dir::refuse_half_restored(&data_dir)?;
    full_disk::watch(data_dir.path());
    let lock = data_dir::lock(&data_dir)?;
    Ok((cluster_options(options, &data_dir, false), lock))
}

/// Opens a session. A server that is too old for the registry's statements is refused.
pub fn connect(database_url: &str) -> Result<PgConnection, CommandError> {
    open(database_url, &Primary::default())
}

fn open(database_url: &str, primary: &Primary) -> Result<PgConnection, CommandError> {
    if let Some(remedy) = malformed(database_url) {
        return Err(CommandError::new(format!("cannot read the database URL: {remedy}")));
    }
    let (mut connection, _) = primary.open(database_url).map_err(|error| {
        let reason = match error {
            NotThePrimary::Connect(error) => error.to_string(),
            refused => refused.to_string(),
        };
        // Messages of libpq have several lines.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        CommandError::new(format!("cannot reach the database at {}: {reason}", without_secrets(database_url)))
    })?;
    let major = major_version(&mut connection)?;
    if versions::is_too_old(major) {
        return Err(CommandError::new(format!(
            "the database at {} is PostgreSQL {major}, and this version of supercargo needs PostgreSQL {} to {}: upgrade the \
             server, or an embedded database with `supercargo database upgrade`",
            without_secrets(database_url),
            versions::OLDEST,
            versions::NEWEST
        )));
    }
    Ok(connection)
}

/// Logs a warning about a server that is newer than those that the program was tested with.
fn warn_of_newer_server(connection: &mut PgConnection) -> Result<(), CommandError> {
    if let Some(warning) = versions::warning_about(major_version(connection)?) {
        tracing::warn!("{warning}");
    }
    Ok(())
}
