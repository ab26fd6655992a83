//! Where a registry keeps what it knows.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// What every command needs that works on a registry.
#[derive(Args, Debug, Clone)]
pub struct StorageOptions {
    /// Where the registry lives: index, crate files and, without a database URL, the private PostgreSQL
    ///
    /// Without this it is /var/lib/supercargo for root, and otherwise supercargo in the user's data directory
    /// ($XDG_DATA_HOME or ~/.local/share).
    #[arg(long, env = "SUPERCARGO_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL database of your own (postgresql://user:password@host/name); also read from DATABASE_URL
    #[arg(long, env = "SUPERCARGO_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Connections to the database that are kept for requests
    #[arg(long, env = "SUPERCARGO_DATABASE_POOL_SIZE", value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_pool_size: u32,
    /// Directory of PostgreSQL's programs (initdb, postgres) for the private cluster, if they are not found by themselves
    #[arg(long, env = "SUPERCARGO_POSTGRES_BIN_DIR", value_name = "DIR")]
    pub postgres_bin_dir: Option<PathBuf>,
    /// The git program, by name or path: it serves the git index and repacks it
    #[arg(long, env = "SUPERCARGO_GIT", value_name = "PROGRAM", default_value = "git")]
    pub git: PathBuf,
    /// The unprivileged user who runs the private PostgreSQL when supercargo is started by root
    ///
    /// PostgreSQL refuses to run as root. Without this it is `postgres` if there is such a user, and otherwise `nobody`.
    #[arg(long, env = "SUPERCARGO_POSTGRES_USER", value_name = "NAME")]
    pub postgres_user: Option<String>,
}

/// The parts of a data directory.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// The bare repository.
    pub fn index(&self) -> PathBuf {
        self.0.join("index.git")
    }

    /// The crate files.
    pub fn crates(&self) -> PathBuf {
        self.0.join("crates")
    }

    /// Holds the base URL while requests are answered.
    pub fn url_file(&self) -> PathBuf {
        self.0.join("url")
    }

    /// Holds the token that the first start made.
    pub fn admin_token_file(&self) -> PathBuf {
        self.0.join("admin-token")
    }

    /// There while a restore is not complete.
    pub fn restoring_file(&self) -> PathBuf {
        self.0.join("restoring")
    }

    /// What the monitor remembers.
    pub fn monitor_state(&self) -> PathBuf {
        self.0.join("monitor.json")
    }

    /// Locked by the serving process.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }
}

impl StorageOptions {
    /// The database that was asked for; None means the private one.
    pub fn database_url(&self) -> Option<String> {
        let given = self.database_url.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        given.filter(|url| !url.is_empty())
    }

    /// Where the git program and its helpers are looked for: like everywhere, on PATH.
    pub fn search_path(&self) -> OsString {
        std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"))
    }

    /// The data directory as an absolute path.
    pub fn data_dir(&self) -> std::io::Result<DataDir> {
        let path = self.data_dir.clone().unwrap_or_else(default_data_dir);
        std::path::absolute(path).map(DataDir)
    }
}

fn default_data_dir() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/var/lib/supercargo");
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data_home = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    data_home.map_or_else(|| PathBuf::from("supercargo-data"), |home| home.join("supercargo"))
}
