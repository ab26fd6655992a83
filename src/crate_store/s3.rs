//! A store in a bucket of S3 or a compatible service.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::SpawnedReqwestConnector;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::Handle;
use tokio_rustls::rustls::crypto::ring;

use super::error::{CrateStoreError, Failure};

/// The time limit for connecting.
const CONNECT: Duration = Duration::from_secs(3);

/// The address of a bucket and how requests to it are made.
#[derive(Clone)]
pub struct S3Settings {
    pub bucket: String,
    /// The prefix of each file's name, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The URL of the service; `None` is AWS.
    pub endpoint: Option<String>,
    pub region: String,
    /// The bucket is part of the host name instead of the path.
    pub virtual_hosted: bool,
    /// Plain HTTP is allowed.
    pub allow_http: bool,
    /// The time limit for storing or finding a file, and for each piece of a download.
    pub limit: Duration,
    pub credentials: S3Credentials,
}

/// The keys that requests are signed with. Never shown.
#[derive(Clone)]
pub struct S3Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
}

impl S3Settings {
    /// A client of the bucket whose connections belong to `runtime`.
    pub(super) fn client(&self, runtime: &Handle) -> Result<AmazonS3, CrateStoreError> {
        // Fails if another part of the process has installed a provider, which is fine.
        let _ = ring::default_provider().install_default();
        let client = ClientOptions::new()
            .with_allow_http(self.allow_http)
            .with_connect_timeout(CONNECT)
            .with_read_timeout(self.limit)
            // This one would limit a whole download, which a slow client may make long.
            .with_timeout_disabled();
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
            max_retries: 4,
            retry_timeout: self.limit,
        };
        let S3Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            // Not every service supports bulk deletion.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_client_options(client)
            .with_http_connector(SpawnedReqwestConnector::new(runtime.clone()));
        if let Some(token) = session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = self.bucket_endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        builder
            .build()
            .map_err(|error| CrateStoreError::Settings { store: self.name(), reason: Failure::of(&error).to_string() })
    }

    /// The store as the operator wrote it.
    pub fn name(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, self.prefix)
    }

    /// The endpoint for the library, which expects the bucket in the host name if requests are virtual-hosted.
    fn bucket_endpoint(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?.trim_end_matches('/');
        match endpoint.split_once("://") {
            Some((scheme, host)) if self.virtual_hosted => Some(format!("{scheme}://{}.{host}", self.bucket)),
            _ => Some(endpoint.to_owned()),
        }
    }

    /// The remedy for a bucket that rejects the first request. `option` is the one that names the bucket.
    pub(super) fn remedy(&self, option: &str, status: u16, code: Option<&str>) -> String {
        let bucket = &self.bucket;
        match (status, code) {
            (_, Some("NoSuchBucket")) | (404, _) => format!(
                "create the bucket {bucket:?}, or name another with {option}; if it is elsewhere, correct --s3-endpoint \
                 or --s3-url-style"
            ),
            (_, Some("InvalidAccessKeyId" | "NotSignedUp")) => {
                "the access key is unknown there; correct SUPERCARGO_S3_ACCESS_KEY_ID or the credentials file"
                    .to_owned()
            }
            (_, Some("SignatureDoesNotMatch")) => {
                "correct SUPERCARGO_S3_SECRET_ACCESS_KEY or the credentials file, and check that --s3-region is the \
                 bucket's region"
                    .to_owned()
            }
            (301 | 307 | 308, _) | (_, Some("AuthorizationHeaderMalformed" | "PermanentRedirect")) => {
                format!("the bucket {bucket:?} is not in the region {:?}; correct --s3-region", self.region)
            }
            (_, Some("RequestTimeTooSkewed")) => "this machine's clock is wrong; set it by NTP".to_owned(),
            (401 | 403, _) => format!(
                "allow the key s3:ListBucket on the bucket {bucket:?}, and s3:GetObject, s3:PutObject and s3:DeleteObject on \
                 its objects"
            ),
            _ => format!("correct {option}, --s3-endpoint or --s3-region"),
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
    fn a_virtual_hosted_bucket_is_part_of_the_host_name() {
        let endpoint = |endpoint, virtual_hosted| settings(Some(endpoint), virtual_hosted).bucket_endpoint();
        assert_eq!(endpoint("https://s3.example:9000/", true).unwrap(), "https://crates.s3.example:9000");
        assert_eq!(endpoint("https://s3.example:9000/", false).unwrap(), "https://s3.example:9000");
        assert_eq!(settings(None, true).bucket_endpoint(), None);
        assert_eq!(settings(None, true).name(), "s3://crates/a/b");
    }

    #[test]
    fn plain_http_is_rejected_unless_it_is_allowed() {
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
