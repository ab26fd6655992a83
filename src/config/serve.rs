//! What `serve` can be told.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::work::{duration, pause};
use super::{AccessOptions, CrateStoreOptions, HttpOptions, IndexOptions, PolicyOptions, StorageOptions, WorkOptions};
use crate::package::Limits;

#[derive(Args, Debug, Clone)]
pub struct ServeOptions {
    #[command(flatten)]
    pub storage: StorageOptions,
    #[command(flatten)]
    pub index: IndexOptions,
    #[command(flatten)]
    pub crate_store: CrateStoreOptions,
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, env = "SUPERCARGO_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:2274")]
    pub listen: SocketAddr,
    /// The URL under which clients reach the registry, if it is not the address it listens on
    ///
    /// It stands in config.json and is part of every Cargo.lock that names the registry: choose it once. A path is
    /// allowed if a proxy in front removes it.
    #[arg(long, env = "SUPERCARGO_PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    pub public_url: Option<String>,
    /// Another URL, perhaps a former one, under which crates may name this registry; may be given several times
    #[arg(long = "url-alias", env = "SUPERCARGO_URL_ALIASES", value_name = "URL", value_delimiter = ',', value_parser = base_url)]
    pub url_aliases: Vec<String>,
    #[command(flatten)]
    pub access: AccessOptions,
    #[command(flatten)]
    pub http: HttpOptions,
    #[command(flatten)]
    pub work: WorkOptions,
    /// Leave the jobs to `supercargo worker`
    #[arg(long, env = "SUPERCARGO_NO_WORKER")]
    pub no_worker: bool,
    /// How long the answer to a publish or yank may wait for the index to show it
    ///
    /// Cargo looks at the index at once and then every second, so a publish that is visible when it is answered is a
    /// second faster. When the time is over the answer says that the job is queued.
    #[arg(long, env = "SUPERCARGO_PUBLISH_WAIT", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub publish_wait: Duration,
    /// The largest crate file, in bytes
    #[arg(long, env = "SUPERCARGO_MAX_CRATE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_crate)]
    pub max_crate_size: usize,
    /// The largest metadata of a publish, in bytes
    #[arg(long, env = "SUPERCARGO_MAX_METADATA_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_metadata)]
    pub max_metadata_size: usize,
    /// The largest size of a crate's unpacked files, in bytes
    #[arg(long, env = "SUPERCARGO_MAX_UNPACKED_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_unpacked)]
    pub max_unpacked_size: u64,
    /// The largest Cargo.toml, in bytes
    #[arg(long, env = "SUPERCARGO_MAX_MANIFEST_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_manifest)]
    pub max_manifest_size: u64,
    /// The most features of a version, and the most that one of them may enable
    #[arg(long, env = "SUPERCARGO_MAX_FEATURES", value_name = "COUNT", default_value_t = Limits::default().max_features)]
    pub max_features: usize,
    /// The most dependencies of a version, of all kinds and targets
    #[arg(long, env = "SUPERCARGO_MAX_DEPENDENCIES", value_name = "COUNT", default_value_t = Limits::default().max_dependencies)]
    pub max_dependencies: usize,
    /// The longest line of a version in the index, in bytes; features and dependencies are what makes it long
    #[arg(long, env = "SUPERCARGO_MAX_INDEX_LINE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_index_line, value_parser = RangedU64ValueParser::<usize>::new().range(MIN_INDEX_SIZE..))]
    pub max_index_line_size: usize,
    /// The largest file of a crate in the index, in bytes
    ///
    /// Each publish and yank of a crate writes its whole file, and cargo reads the whole of it.
    #[arg(long, env = "SUPERCARGO_MAX_INDEX_FILE_SIZE", value_name = "BYTES", default_value_t = Limits::default().max_index_file, value_parser = clap::value_parser!(u64).range(MIN_INDEX_SIZE..))]
    pub max_index_file_size: u64,
    #[command(flatten)]
    pub policy: PolicyOptions,
    /// How long counted downloads gather in memory before they are written to the database
    ///
    /// A normal stop writes what has gathered; a killed process loses it.
    #[arg(long, env = "SUPERCARGO_DOWNLOAD_FLUSH_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = pause)]
    pub download_flush_interval: Duration,
    /// How long requests may go on after the first SIGTERM
    #[arg(long, env = "SUPERCARGO_SHUTDOWN_GRACE", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub shutdown_grace: Duration,
    /// Keep nothing: the data directory is removed at the end, and nothing waits for the disk (for `supercargo with`)
    #[arg(long, hide = true)]
    pub throwaway: bool,
}

/// The line of a version without features and dependencies is shorter.
const MIN_INDEX_SIZE: u64 = 1024;

impl ServeOptions {
    /// The limits of a publish.
    pub fn limits(&self) -> Limits {
        Limits {
            max_crate: self.max_crate_size,
            max_metadata: self.max_metadata_size,
            max_unpacked: self.max_unpacked_size,
            max_manifest: self.max_manifest_size,
            max_features: self.max_features,
            max_feature_values: self.max_features,
            max_dependencies: self.max_dependencies,
            max_index_line: self.max_index_line_size,
            max_index_file: self.max_index_file_size,
            ..Limits::default()
        }
    }
}

/// A base URL without a slash at its end.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let rest = trimmed.strip_prefix("http://").or_else(|| trimmed.strip_prefix("https://"));
    match rest {
        None | Some("") => Err("it must begin with http:// or https:// and name a host".to_owned()),
        Some(rest) if rest.contains(['?', '#', '@', ' ']) => {
            Err("it must be a plain URL without credentials, query or fragment".to_owned())
        }
        Some(_) => Ok(trimmed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_limit_that_no_version_could_keep_is_refused() {
        #[derive(clap::Parser)]
        struct Given {
            #[command(flatten)]
            serve: ServeOptions,
        }
        let limits = |option: &str| {
            let given = <Given as clap::Parser>::try_parse_from(["x", option]);
            given.map(|given| given.serve.limits()).map_err(|error| error.to_string())
        };
        assert_eq!(limits("--max-index-line-size=1024").unwrap().max_index_line, 1024);
        assert_eq!(limits("--max-index-file-size=1024").unwrap().max_index_file, 1024);
        for option in ["--max-index-line-size=1023", "--max-index-file-size=1023", "--max-index-line-size=0"] {
            assert!(limits(option).unwrap_err().contains("is not in 1024.."), "{option}");
        }
    }

    // protocol: 2, 10
    #[test]
    fn a_base_url_is_taken_without_its_last_slash_and_others_are_refused() {
        assert_eq!(base_url("https://crates.example/registry/"), Ok("https://crates.example/registry".to_owned()));
        for wrong in ["crates.example", "sparse+https://crates.example/", "https://", "http://u:p@host", "http://h/?q"]
        {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
    }
}
