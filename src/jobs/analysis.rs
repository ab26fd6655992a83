//! Analysing crate files for what the API says of versions beside their manifests: targets, and lines of code.
//!
//! No client waits for it, so it is no job: a publish would have two. The list of pending versions is a table that a
//! trigger fills; a version leaves it in the transaction that stores its result. So a kill repeats an analysis, and loses
//! none.

use diesel::prelude::*;

use crate::crate_store::{CrateStore, CrateStoreError};
use crate::database::catalog::analyses::{self, PendingAnalysis};
use crate::database::catalog::derived::is_refusal;
use crate::package::Limits;
use crate::package::analysis::{Analysis, analyse};

/// The largest crate file that is analysed, in bytes. It is held in memory meanwhile.
const MAX_SIZE: i64 = 64 * 1024 * 1024;

/// Why versions could not be analysed. They stay pending.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
}

/// Analyses pending versions, the newest first, until none is left or `is_stopped`. Returns their number. The connection
/// has a transaction open while a crate file is read.
pub fn run(
    connection: &mut PgConnection,
    store: &CrateStore,
    is_stopped: &dyn Fn() -> bool,
) -> Result<usize, AnalysisError> {
    let mut analysed = 0;
    while !is_stopped() {
        if connection.transaction(|connection| analyse_next(connection, store))? {
            analysed += 1;
        } else if !analyses::add_older(connection)? {
            break;
        }
    }
    Ok(analysed)
}

/// Analyses the next version; false if none is pending.
fn analyse_next(connection: &mut PgConnection, store: &CrateStore) -> Result<bool, AnalysisError> {
    let Some(pending) = analyses::claim(connection)? else { return Ok(false) };
    let result = read(store, &pending)?;
    let stored = connection.transaction(|connection| analyses::finish(connection, pending.version_id, result.as_ref()));
    match stored {
        Err(error) if is_refusal(&error) => {
            let (name, num) = (&pending.name, &pending.num);
            tracing::warn!(%name, %num, %error, "the analysis of a crate file could not be stored");
            analyses::finish(connection, pending.version_id, None)?;
        }
        stored => stored?,
    }
    Ok(true)
}

/// The analysis of a version's crate file; None if the file cannot be analysed, which another attempt would not change.
fn read(store: &CrateStore, pending: &PendingAnalysis) -> Result<Option<Analysis>, AnalysisError> {
    let PendingAnalysis { name, num, checksum, size, is_deleted, .. } = pending;
    if *is_deleted {
        return Ok(None);
    }
    let problem = if *size > MAX_SIZE {
        format!("it is larger than {MAX_SIZE} bytes")
    } else {
        let mut file = Vec::new();
        let copied = store.copy(*checksum, |piece| {
            file.extend_from_slice(piece);
            Ok(())
        });
        match copied {
            Ok(Some(_)) => match analyse(file.as_slice(), name, num, &Limits::default()) {
                Ok(analysis) => return Ok(Some(analysis)),
                Err(error) => error.to_string(),
            },
            Ok(None) => "the crate store does not have it".to_owned(),
            Err(error) if error.is_outage() => return Err(error.into()),
            Err(error) => error.to_string(),
        }
    };
    tracing::warn!(
        %name, %num, problem,
        "a crate file cannot be analysed: the API shows its version without lines of code"
    );
    Ok(None)
}
