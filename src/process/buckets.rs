//! The buckets of a process: crate files, and the exported index.

use super::hardening;
use crate::config::{CrateStoreOptions, ExportPlace, IndexExportOptions};
use crate::crate_store::{Bucket, CrateStore, S3Credentials, S3Settings};
use crate::jobs::index_export::{Destination, Invalidation};
use crate::process::CommandError;

/// The settings of a prefix of a bucket.
pub(super) fn s3_settings(options: &CrateStoreOptions, bucket: &str, prefix: &str) -> Result<S3Settings, CommandError> {
    let endpoint = options.endpoint().map_err(CommandError::new)?;
    let (access_key_id, secret_access_key, session_token) = options.keys().map_err(CommandError::new)?;
    if let Some(file) = &options.s3_credentials_file {
        hardening::warn_of_readers(file, "the credentials");
    }
    Ok(S3Settings {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        virtual_hosted: options.is_virtual_hosted(endpoint.as_deref()),
        endpoint,
        region: options.region(),
        allow_http: options.s3_allow_http,
        limit: options.s3_timeout,
        credentials: S3Credentials { access_key_id, secret_access_key, session_token },
    })
}

/// Opens a bucket with crate files. One that cannot be reached is logged, and may come back.
pub(super) fn open_bucket(settings: &S3Settings) -> Result<CrateStore, CommandError> {
    let store = CrateStore::s3(settings)?;
    match store.check() {
        Err(away) if away.is_outage() => tracing::error!(
            store = settings.name(), error = %away,
            "cannot reach the crate store: downloads and publishes get 503 until it is back; if it does not come back, check \
             --crate-store and --s3-endpoint"
        ),
        checked => checked?,
    }
    Ok(store)
}

/// Where the index is exported to; None if it is not. Sends no request: an export never keeps a registry from starting.
pub fn index_export(
    options: &IndexExportOptions,
    crate_store: &CrateStoreOptions,
) -> Result<Option<Destination>, CommandError> {
    let Some(ExportPlace { bucket, prefix }) = &options.index_export else { return Ok(None) };
    let limit = options.index_export_invalidate_timeout;
    Ok(Some(Destination {
        bucket: Bucket::open(&s3_settings(crate_store, bucket, prefix)?)?,
        cache_control: options.index_export_cache_control.clone(),
        invalidation: options.index_export_invalidate.clone().map(|command| Invalidation { command, limit }),
    }))
}
