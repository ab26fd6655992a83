//! `supercargo upstream status`.

use std::process::ExitCode;

use crate::admin::upstream_status::{self, State};
use crate::config::StatusOptions;
use crate::process::CommandError;
use crate::process::gathering::Cache;
use crate::upstream_cache::eviction;
use crate::upstream_cache::kept_file::KeptFiles;

pub(super) fn status(options: &StatusOptions) -> Result<ExitCode, CommandError> {
    let (states, files) = Cache::with(&options.cache, |cache| {
        let directory = cache.storage.data_dir.upstream_index();
        let read = |connection: &mut _| -> Result<Vec<State>, CommandError> {
            let of = |name: &str| {
                let in_directory = KeptFiles::new(directory.join(name)).count()?;
                Ok(upstream_status::of(connection, name, in_directory)?)
            };
            let names: Vec<&str> = cache.named.iter().map(|one| &*one.name).collect();
            names.into_iter().map(of).collect()
        };
        let states = cache.pool.with(read)??;
        Ok((states, eviction::sizes(&cache.store, &cache.pool)?))
    })?;
    upstream_status::print(&states, (&files, options.cache.upstream.upstream_cache_size), options.output.json)?;
    Ok(ExitCode::SUCCESS)
}
