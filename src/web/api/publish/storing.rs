//! The crate file of a publish: stored before its version is accepted, and removed again if it is not.

use std::time::Duration;

use crate::database::access::caller::Caller;
use crate::error_chain::ErrorChain;
use crate::fault;
use crate::jobs::publish_version::PublishError;
use crate::jobs::unused_files;
use crate::package::{Checksum, Package};
use crate::web::{ApiError, App};

/// How often a file is stored that others remove meanwhile. They were refused, and there is one each time.
const TRIES: usize = 5;

/// How long the removal of a file waits for a connection; without one the file stays for the next tidying.
const PATIENCE: Duration = Duration::from_secs(1);

/// Refuses what need not be stored: nobody waits for it, there is no room, or its user has uploaded enough for today.
/// What comes further counts as uploaded, whatever becomes of it.
pub(super) fn admit(app: &App, caller: &Caller, package: &Package) -> Result<(), ApiError> {
    caller.waits().inspect_err(|_| tracing::debug!("the client hung up before its crate file was stored"))?;
    let size = package.crate_file.len();
    app.crate_store.check_free_space(size as u64)?;
    let Some(allowance) = app.settings.admission.upload_allowance else { return Ok(()) };
    let (user, login) = (caller.user.id, &caller.user.login);
    match app.pool.with(|connection| allowance.draw(connection, user, login, size))?? {
        Some(limited) => Err(limited.into()),
        None => Ok(()),
    }
}

/// Stores the file and accepts its version. If that is refused or fails, the file is removed, unless somebody else needs
/// it. A file that was removed meanwhile by a publish of the same bytes is stored again.
pub(super) fn stored<T>(
    app: &App,
    package: &Package,
    accept: impl Fn() -> Result<T, PublishError>,
) -> Result<T, ApiError> {
    for _ in 0..TRIES {
        app.crate_store.put(package.checksum, package.crate_file.clone())?;
        let accepted = match fault::point("request.file_stored") {
            Ok(()) => accept(),
            Err(fault) => {
                remove(app, package.checksum);
                return Err(fault.into());
            }
        };
        match accepted {
            Err(PublishError::FileRemoved) => {}
            // A store that does not answer can't remove either, and the client has waited for it already.
            Err(PublishError::CrateStore(away)) => return Err(away.into()),
            Err(refused) => {
                remove(app, package.checksum);
                return Err(refused.into());
            }
            Ok(accepted) => return Ok(accepted),
        }
    }
    Err(ApiError::unavailable(PublishError::FileRemoved))
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
