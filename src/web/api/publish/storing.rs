//! Storing the crate file of a publish: before its version is accepted; it is removed again if the version is refused.

use std::time::Duration;

use crate::crate_store::BegunFile;
use crate::database::access::caller::Caller;
use crate::error_chain::ErrorChain;
use crate::fault;
use crate::jobs::publish_version::Known;
use crate::jobs::{RequestError, unused_files};
use crate::package::{Checksum, Package, PublishRequest};
use crate::trace::STEP;
use crate::web::{ApiError, App};

/// How often a file is stored again that others remove meanwhile: refused publishes of the same bytes, one each time.
const TRIES: usize = 5;

/// How long the removal of a file waits for a connection; without one the file stays until the store is tidied.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refuses a file that need not be stored: the client has disconnected, the disk is nearly full, or its user has reached the
/// upload allowance. Uploads at the same time are all admitted; the transaction draws from the allowance and refuses those
/// that are too much.
pub(super) fn admit(app: &App, caller: &Caller, size: usize, known: &Known) -> Result<(), ApiError> {
    let is_connected = caller.connection.check();
    is_connected.inspect_err(|_| tracing::debug!("the client disconnected before its crate file was stored"))?;
    app.crate_store.check_free_space(size as u64)?;
    match app.settings.admission.upload_allowance {
        Some(allowance) => Ok(allowance.check(&known.levels, &caller.user.login, size)?),
        None => Ok(()),
    }
}

/// Begins to store the file while its package is examined, unless it would be refused anyhow: the refusal comes later, from
/// [`admit`], so that it does not hide what is wrong with the package.
pub(super) fn begin(app: &App, caller: &Caller, request: &PublishRequest, known: &Known) -> Option<BegunFile> {
    let file = request.crate_file();
    admit(app, caller, file.len(), known).ok()?;
    Some(app.crate_store.begin(request.checksum(), file.clone()))
}

/// Stores the file and accepts its version. If the version is refused or fails, the file is removed, unless another version
/// needs it. A file that a publish of the same bytes has removed meanwhile is stored again.
pub(super) fn stored<T>(
    app: &App,
    package: &Package,
    mut begun: Option<BegunFile>,
    accept: impl Fn() -> Result<T, RequestError>,
) -> Result<T, ApiError> {
    for _ in 0..TRIES {
        tracing::trace_span!(target: STEP, "store crate file").in_scope(|| match begun.take() {
            Some(begun) => begun.finish(),
            None => app.crate_store.put(package.checksum, package.crate_file.clone()),
        })?;
        let accepted = match fault::point("request.file_stored") {
            Ok(()) => tracing::trace_span!(target: STEP, "accept version").in_scope(&accept),
            Err(fault) => {
                remove(app, package.checksum);
                return Err(fault.into());
            }
        };
        match accepted {
            Err(RequestError::FileRemoved) => {}
            // A store that does not respond cannot remove the file either, and the client has waited for it already.
            Err(RequestError::CrateStore(away)) => return Err(away.into()),
            Err(refused) => {
                remove(app, package.checksum);
                return Err(refused.into());
            }
            Ok(accepted) => return Ok(accepted),
        }
    }
    Err(ApiError::unavailable(RequestError::FileRemoved))
}

fn remove(app: &App, checksum: Checksum) {
    let removed = app
        .pool
        .with_within(PATIENCE, |connection| unused_files::remove(connection, &app.crate_store, checksum))
        .map_err(unused_files::UnusedFileError::from)
        .and_then(|removed| removed);
    match removed {
        Ok(removed) => tracing::debug!(%checksum, removed, "the crate file of a refused publish"),
        Err(error) => tracing::warn!(
            %checksum, error = %ErrorChain::of(&error),
            "the crate file of a refused publish stays until the crate store is tidied"
        ),
    }
}
