//! Options about the data directory and the database.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// The options of commands that work on a registry's data.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Storage")]
pub struct StorageOptions {
    /// Configuration file, in TOML
    ///
    /// The default is supercargo.toml in the data directory, or /etc/supercargo/supercargo.toml. Its keys
    /// are the names of options, such as max-crate-size = 20971520. Flags and variables override it. See
    /// docs/configuration.md.
    #[arg(long, env = "SUPERCARGO_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory [default: /var/lib/supercargo, or in ~/.local/share]
    ///
    /// It holds the index, the crate files and, without --database-url, the embedded PostgreSQL. The default is
    /// /var/lib/supercargo for root and ~/.local/share/supercargo for other users. If XDG_DATA_HOME is set, it is used
    /// in place of ~/.local/share.
    #[arg(long, env = "SUPERCARGO_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// URL of an external PostgreSQL database [default: the embedded one]
    ///
    /// The URL has the form postgresql://user:password@host/name. The variable DATABASE_URL is read as well, if neither
    /// this option nor the configuration file has a value. A password on the command line is visible to every user of
    /// the machine: set the variable or use the file.
    #[arg(long, env = "SUPERCARGO_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Number of database connections for requests
    #[arg(long, hide = true, env = "SUPERCARGO_DATABASE_POOL_SIZE", value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_pool_size: u32,
    /// Directory of PostgreSQL's programs (initdb, postgres) [default: PATH, /usr/lib/postgresql/*/bin]
    #[arg(long, hide = true, env = "SUPERCARGO_POSTGRES_BIN_DIR", value_name = "DIR")]
    pub postgres_bin_dir: Option<PathBuf>,
    /// Git program, by name or path
    #[arg(long, hide = true, env = "SUPERCARGO_GIT", value_name = "PROGRAM", default_value = "git")]
    pub git: PathBuf,
    /// User that runs the embedded PostgreSQL when supercargo runs as root [default: postgres, or nobody]
    ///
    /// PostgreSQL refuses to run as root.
    #[arg(long, hide = true, env = "SUPERCARGO_POSTGRES_USER", value_name = "NAME")]
    pub postgres_user: Option<String>,
}

/// The paths in a data directory.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The name of the configuration file.
    pub const CONFIGURATION: &str = "supercargo.toml";

    /// The paths in this data directory.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// The index, a bare git repository.
    pub fn index(&self) -> PathBuf {
        self.0.join("index.git")
    }

    /// The directory of crate files.
    pub fn crates(&self) -> PathBuf {
        self.0.join("crates")
    }

    /// The file with the base URL, which exists while the registry is served.
    pub fn url_file(&self) -> PathBuf {
        self.0.join("url")
    }

    /// The file with the admin's token, written at the first start.
    pub fn admin_token_file(&self) -> PathBuf {
        self.0.join("admin-token")
    }

    /// The marker file of an incomplete restore.
    pub fn restoring_file(&self) -> PathBuf {
        self.0.join("restoring")
    }

    /// The cache of the files of packages, for the pages that show them.
    pub fn source_cache(&self) -> PathBuf {
        self.0.join("source-cache")
    }

    /// The index files of upstreams.
    pub fn upstream_index(&self) -> PathBuf {
        self.0.join("upstream-index")
    }

    /// Where repositories with advisories are fetched to, for the time of a refresh.
    pub fn advisories(&self) -> PathBuf {
        self.0.join("advisories")
    }

    /// The git repository of the advisories about crates of this registry.
    pub fn advisory_repository(&self) -> PathBuf {
        self.0.join("advisories.git")
    }

    /// The monitor's state file.
    pub fn monitor_state(&self) -> PathBuf {
        self.0.join("monitor.json")
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.0.join(Self::CONFIGURATION)
    }

    /// The file with the newest primary of an external database.
    pub fn primary_file(&self) -> PathBuf {
        self.0.join("database-primary")
    }

    /// The file that the serving process locks.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }
}

impl StorageOptions {
    /// The URL of the external database; `None` is the embedded one.
    pub fn database_url(&self) -> Option<String> {
        let given = self.database_url.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        given.filter(|url| !url.is_empty())
    }

    /// The PATH in which the git program and its helpers are found.
    pub fn search_path(&self) -> OsString {
        std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"))
    }

    /// The data directory as an absolute path.
    pub fn data_dir(&self) -> std::io::Result<DataDir> {
        let named = self.data_dir.clone().or_else(default_data_dir);
        let path = named.ok_or_else(|| std::io::Error::other(NO_DATA_DIR))?;
        std::path::absolute(path).map(DataDir)
    }
}

const NO_DATA_DIR: &str = "there is no default data directory, because neither HOME nor XDG_DATA_HOME is set: name a \
                           directory with --data-dir, or set one of them";

/// The default; `None` if the environment does not say where the user's data is.
pub(super) fn default_data_dir() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/supercargo"));
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data_home = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    data_home.map(|home| home.join("supercargo"))
}
