//! A store in a bucket of S3, or of anything that speaks like it.
//!
//! A store on the network can be slow or silent for minutes, and a request must not be. So everything that is asked of it
//! has a time limit, retries included; reading may take as long as the reader likes, but no piece longer than the limit;
//! and only so many requests wait at the same time, or a silent store would take every thread the registry answers with.
//! Connections belong to a runtime of their own, which lives as long as the store: they outlast the request that opened
//! them, and the threads that ask have no runtime, or another one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::SpawnedReqwestConnector;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::crypto::ring;

use super::error::{CrateStoreError, Failure};

/// Requests that may wait for the store at once. The web has 64 threads for everything that blocks.
const WAITING: usize = 40;
/// How long one more waits for its turn.
const TURN: Duration = Duration::from_secs(1);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a start waits to learn whether bucket and key are right.
const CHECK: Duration = Duration::from_secs(8);

/// Where a bucket is, and how it is asked.
#[derive(Clone)]
pub struct S3Settings {
    pub bucket: String,
    /// What stands before the name of each file, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The URL of the service; None is AWS.
    pub endpoint: Option<String>,
    pub region: String,
    /// The bucket is part of the host name instead of the path.
    pub virtual_hosted: bool,
    /// Plain HTTP is taken.
    pub allow_http: bool,
    /// How long storing or finding a file may take, and how long a download may be silent.
    pub limit: Duration,
    pub credentials: S3Credentials,
}

/// What requests are signed with. Never shown.
#[derive(Clone)]
pub struct S3Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
}

/// What every clone of a store shares.
pub(super) struct Remote {
    runtime: Option<Runtime>,
    limit: Duration,
    room: Semaphore,
}

impl Remote {
    /// The store as the library has it, and what its requests run in.
    pub(super) fn open(settings: &S3Settings) -> Result<(AmazonS3, Arc<Remote>), CrateStoreError> {
        // Fails when somebody else did so before, which is as well.
        let _ = ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("crate-store")
            .enable_all()
            .build()
            .map_err(CrateStoreError::Runtime)?;
        let client = ClientOptions::new()
            .with_allow_http(settings.allow_http)
            .with_connect_timeout(CONNECT)
            .with_read_timeout(settings.limit)
            // Of a whole download, which a slow client may draw out.
            .with_timeout_disabled();
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
            max_retries: 4,
            retry_timeout: settings.limit,
        };
        let S3Credentials { access_key_id, secret_access_key, session_token } = &settings.credentials;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key)
            .with_virtual_hosted_style_request(settings.virtual_hosted)
            // Not every store knows how to delete in bulk.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_client_options(client)
            .with_http_connector(SpawnedReqwestConnector::new(runtime.handle().clone()));
        if let Some(token) = session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = settings.bucket_endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder.build().map_err(|error| CrateStoreError::Settings {
            store: settings.name(),
            reason: Failure::of(&error).to_string(),
        })?;
        let remote = Self { runtime: Some(runtime), limit: settings.limit, room: Semaphore::new(WAITING) };
        Ok((store, Arc::new(remote)))
    }

    /// Waits for an answer, but not longer than the limit. `what` is for the error.
    pub(super) fn wait_for<T>(
        &self,
        what: impl FnOnce() -> String,
        limit: Option<Duration>,
        asked: impl Future<Output = T>,
    ) -> Result<T, CrateStoreError> {
        let limit = limit.unwrap_or(self.limit);
        let Some(runtime) = &self.runtime else { return Err(CrateStoreError::Busy { waiting: 0 }) };
        runtime.block_on(async {
            let turn = tokio::time::timeout(TURN, self.room.acquire()).await;
            let _turn = turn.map_err(|_| CrateStoreError::Busy { waiting: WAITING })?;
            let late = |_| CrateStoreError::Failed { what: what(), failure: Failure::Late(limit) };
            tokio::time::timeout(limit, asked).await.map_err(late)
        })
    }

    /// The time limit of the first look at a store.
    pub(super) fn check_limit(&self) -> Duration {
        self.limit.min(CHECK)
    }
}

/// The last owner may be a task, which must not wait for the runtime's end.
impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl S3Settings {
    /// The store as an operator wrote it.
    pub fn name(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, self.prefix)
    }

    /// The library wants the bucket in the host name to be given.
    fn bucket_endpoint(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?.trim_end_matches('/');
        match endpoint.split_once("://") {
            Some((scheme, host)) if self.virtual_hosted => Some(format!("{scheme}://{}.{host}", self.bucket)),
            _ => Some(endpoint.to_owned()),
        }
    }

    /// What to change when the store refuses at the start.
    pub(super) fn remedy(&self, status: u16, code: Option<&str>) -> String {
        let bucket = &self.bucket;
        match (status, code) {
            (_, Some("NoSuchBucket")) | (404, _) => format!(
                "there is no bucket {bucket:?}: make it, or name another with --crate-store; if it is elsewhere, \
                 correct --s3-endpoint or --s3-url-style"
            ),
            (_, Some("InvalidAccessKeyId" | "NotSignedUp")) => {
                "it does not know the access key: correct SUPERCARGO_S3_ACCESS_KEY_ID or the credentials file"
                    .to_owned()
            }
            (_, Some("SignatureDoesNotMatch")) => "it does not take the signature: correct \
                 SUPERCARGO_S3_SECRET_ACCESS_KEY or the credentials file, and look whether --s3-region is the bucket's"
                .to_owned(),
            (301 | 307 | 308, _) | (_, Some("AuthorizationHeaderMalformed" | "PermanentRedirect")) => {
                format!("the bucket {bucket:?} is in another region than {:?}: correct --s3-region", self.region)
            }
            (_, Some("RequestTimeTooSkewed")) => "this machine's clock is wrong: set it by NTP".to_owned(),
            (401 | 403, _) => format!(
                "the key may not list the bucket {bucket:?}: allow it s3:ListBucket, and s3:GetObject, s3:PutObject and \
                 s3:DeleteObject for what is in it"
            ),
            _ => "correct --crate-store, --s3-endpoint or --s3-region".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: Option<&str>, virtual_hosted: bool) -> S3Settings {
        S3Settings {
            bucket: "crates".to_owned(),
            prefix: "a/b".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            region: "us-east-1".to_owned(),
            virtual_hosted,
            allow_http: false,
            limit: Duration::from_secs(30),
            credentials: S3Credentials {
                access_key_id: "k".to_owned(),
                secret_access_key: "s".to_owned(),
                session_token: None,
            },
        }
    }

    #[test]
    fn the_bucket_stands_in_the_host_name_where_that_is_asked_for() {
        let endpoint = |endpoint, virtual_hosted| settings(Some(endpoint), virtual_hosted).bucket_endpoint();
        assert_eq!(endpoint("https://s3.example:9000/", true).unwrap(), "https://crates.s3.example:9000");
        assert_eq!(endpoint("https://s3.example:9000/", false).unwrap(), "https://s3.example:9000");
        assert_eq!(settings(None, true).bucket_endpoint(), None);
        assert_eq!(settings(None, true).name(), "s3://crates/a/b");
    }

    #[test]
    fn plain_http_is_refused_unless_it_was_allowed() {
        let mut plain = settings(Some("http://127.0.0.1:9"), false);
        plain.limit = Duration::from_secs(60);
        let failed = |settings: &S3Settings| {
            let store = crate::crate_store::CrateStore::s3(settings).unwrap();
            store.size(crate::package::Checksum::of(b"")).unwrap_err().to_string()
        };
        assert!(failed(&plain).contains("URL scheme is not allowed"), "{}", failed(&plain));
        plain.allow_http = true;
        assert!(failed(&plain).contains("onnection refused"), "{}", failed(&plain));
    }
}
