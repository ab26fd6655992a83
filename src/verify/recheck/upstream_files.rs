//! The check of a file that is kept of an upstream.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

use crate::crate_store::CrateStore;
use crate::package::Checksum;
use crate::upstream_cache::kept_file::{KeptFile, KeptFiles};
use crate::upstream_cache::{lines, shared_file};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::settings::UpstreamCache;

/// The beginnings of the places of index files in reports.
const DIRECTORY: &str = "upstream-index/";
const DATABASE: &str = "database/";
/// The beginning of the name of a file that is being written.
const UNFINISHED: &str = ".tmp";

/// Where an index file is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexPlace {
    Directory { upstream: String, path: String },
    Database { upstream: String, path: String },
}

impl IndexPlace {
    /// As reports name it.
    pub fn name(&self) -> String {
        match self {
            Self::Directory { upstream, path } => format!("{DIRECTORY}{upstream}/{path}"),
            Self::Database { upstream, path } => format!("{DATABASE}{upstream}/{path}"),
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        let parts = |rest: &str| rest.split_once('/').map(|(upstream, path)| (upstream.to_owned(), path.to_owned()));
        if let Some((upstream, path)) = name.strip_prefix(DIRECTORY).and_then(parts) {
            return Some(Self::Directory { upstream, path });
        }
        name.strip_prefix(DATABASE).and_then(parts).map(|(upstream, path)| Self::Database { upstream, path })
    }
}

/// The difference of a crate file, if it is there.
pub fn recheck_crate_file(context: &Context<'_>, checksum: Checksum) -> Result<Option<Difference>, VerifyError> {
    let Some(cache) = &context.settings.upstreams else { return Ok(None) };
    let found = cache.crate_files.digest(checksum)?;
    Ok(found.filter(|(found, _)| *found != checksum).map(|(found, size)| {
        let difference =
            Difference::new(Kind::DamagedUpstreamFile, format!("{found}, {size} bytes"), checksum.to_string());
        difference.at(CrateStore::place(checksum)).about_file(checksum)
    }))
}

/// The difference of an index file, if it is there.
pub fn recheck_index_file(context: &Context<'_>, place: &IndexPlace) -> Result<Option<Difference>, VerifyError> {
    let Some(cache) = &context.settings.upstreams else { return Ok(None) };
    let problem = match place {
        IndexPlace::Directory { upstream, path } => in_directory(context, cache, (upstream, path))?,
        IndexPlace::Database { upstream, path } => {
            let shared = context.pool.with(|connection| shared_file::read(connection, upstream, path))??;
            shared.and_then(|shared| problem(shared.file.as_ref(), path))
        }
    };
    let difference = |problem: String| Difference::new(Kind::DamagedUpstreamIndexFile, problem, "an index file");
    Ok(problem.map(|problem| difference(problem).at(place.name())))
}

fn in_directory(
    context: &Context<'_>,
    cache: &UpstreamCache,
    (upstream, path): (&str, &str),
) -> Result<Option<String>, VerifyError> {
    let directory = cache.index_files.join(upstream);
    let Some(written) = modified(&directory.join(path))? else { return Ok(None) };
    if path.rsplit('/').next().is_some_and(|name| name.starts_with(UNFINISHED)) {
        let age = SystemTime::now().duration_since(written).unwrap_or_default();
        return Ok((age >= context.settings.orphan_age).then(|| "a partly written file of a killed process".to_owned()));
    }
    let file = KeptFiles::new(directory.clone()).read(path)?;
    // It may have been removed in between.
    if file.is_none() && modified(&directory.join(path))?.is_none() {
        return Ok(None);
    }
    Ok(problem(file.as_ref(), path))
}

fn modified(path: &Path) -> Result<Option<SystemTime>, VerifyError> {
    match fs::metadata(path).and_then(|found| found.modified()) {
        Ok(modified) => Ok(Some(modified)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with a file.
fn problem(file: Option<&KeptFile>, path: &str) -> Option<String> {
    match file {
        None => Some("a file that is damaged or cut".to_owned()),
        Some(file) => lines::check(&file.content, path).err().map(|error| error.to_string()),
    }
}
