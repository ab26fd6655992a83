//! URLs with which clients fetch a crate file from the bucket itself.

use std::time::Duration;

use futures_util::FutureExt;
use object_store::path::Path as Location;
use object_store::signer::Signer;
use reqwest::Method;

use super::{CrateStore, CrateStoreError, Failure, Place, file, location};
use crate::package::Checksum;

/// What a signed URL allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// The content, or a range of it.
    Get,
    /// The headers.
    Head,
}

impl CrateStore {
    /// A URL of the bucket that is valid for this time; `None` if the store is a directory. Sends no request and does not
    /// block. A signature holds for one method.
    pub fn presigned(
        &self,
        checksum: Checksum,
        allowed: Allowed,
        valid_for: Duration,
    ) -> Result<Option<String>, CrateStoreError> {
        let Place::Bucket(settings, bucket) = &self.place else { return Ok(None) };
        let method = match allowed {
            Allowed::Get => Method::GET,
            Allowed::Head => Method::HEAD,
        };
        let path = Location::parse(&settings.prefix).unwrap_or_default();
        let path = Location::from_iter(path.parts().chain(location(checksum).parts()));
        let failed = |failure| CrateStoreError::Failed { what: file(checksum)(), failure };
        // The keys are in memory, so the signature needs no request.
        let signed = bucket.signed_url(method, &path, valid_for).now_or_never();
        let signed = signed.ok_or_else(|| failed(Failure::Other("the credentials are not in memory".to_owned())))?;
        signed.map(|url| Some(url.to_string())).map_err(|error| failed(Failure::of(&error)))
    }
}
