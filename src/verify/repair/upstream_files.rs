//! Removal of damaged files that are kept of upstreams: they are fetched again when they are needed.

use super::outcome::Outcome;
use crate::database::upstream_sharing::index_files;
use crate::upstream_cache::kept_file::KeptFiles;
use crate::upstream_cache::shared_file;
use crate::verify::context::Context;
use crate::verify::difference::Difference;
use crate::verify::error::VerifyError;
use crate::verify::recheck::upstream_files::IndexPlace;

const DONE: &str = "removed: it is fetched again when it is needed";

/// Removes a crate file.
pub fn remove_crate_file(context: &Context<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let (Some(cache), Some(checksum)) = (&context.settings.upstreams, difference.subject.checksum) else {
        return Ok(Outcome::Left("the checksum of the file is not known".to_owned()));
    };
    cache.crate_files.delete(checksum)?;
    Ok(Outcome::Done(DONE.to_owned()))
}

/// Removes an index file.
pub fn remove_index_file(context: &Context<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let place = difference.path.as_deref().and_then(IndexPlace::parse);
    let (Some(cache), Some(place)) = (&context.settings.upstreams, place) else {
        return Ok(Outcome::Left("the place of the file is not known".to_owned()));
    };
    match place {
        IndexPlace::Directory { upstream, path } => {
            KeptFiles::new(cache.index_files.join(upstream)).remove(&path)?;
        }
        IndexPlace::Database { upstream, path } => {
            let shared = context.pool.with(|connection| shared_file::read(connection, &upstream, &path))??;
            if let Some(shared) = shared {
                context.database(|connection| index_files::remove(connection, (&upstream, &path), shared.revision))?;
            }
        }
    }
    Ok(Outcome::Done(DONE.to_owned()))
}
