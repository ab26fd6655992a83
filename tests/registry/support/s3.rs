//! A real S3 server, which checks signatures and keeps objects as files. It listens on a unix socket, and a proxy stands
//! before it, so that the network between can fail as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use supercargo::crate_store::{S3Credentials, S3Settings};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

use super::proxy::Proxy;

pub const BUCKET: &str = "crates";
const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMIexamplekey";

/// A server with one bucket, and a file with the credentials for it.
pub struct S3Server {
    directory: tempfile::TempDir,
    runtime: Option<Runtime>,
    pub proxy: Proxy,
}

impl S3Server {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("objects").join(BUCKET)).unwrap();
        let proxy = Proxy::to(&directory.path().join("socket"));
        let mut server = Self { directory, runtime: None, proxy };
        server.write_credentials(ACCESS_KEY, SECRET_KEY);
        server.start_again();
        server
    }

    /// Starts it after it was stopped, on the same objects.
    pub fn start_again(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = self.directory.path().join("socket");
        let _ = std::fs::remove_file(&socket);
        let mut builder =
            S3ServiceBuilder::new(s3s_fs::FileSystem::new(self.directory.path().join("objects")).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = runtime.block_on(async { UnixListener::bind(&socket).unwrap() });
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let _ =
                        Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        self.runtime = Some(runtime);
    }

    /// Ends it with all its connections, whatever they are at.
    pub fn stop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
        self.proxy.cut();
    }

    pub fn write_credentials(&self, access_key: &str, secret_key: &str) {
        let text = format!("[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n");
        std::fs::write(self.credentials(), text).unwrap();
    }

    pub fn credentials(&self) -> PathBuf {
        self.directory.path().join("credentials")
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy.port())
    }

    /// The settings for a prefix of the bucket.
    pub fn settings(&self, prefix: &str) -> S3Settings {
        S3Settings {
            bucket: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.endpoint()),
            region: "us-east-1".to_owned(),
            virtual_hosted: false,
            allow_http: true,
            limit: Duration::from_secs(30),
            credentials: S3Credentials {
                access_key_id: ACCESS_KEY.to_owned(),
                secret_access_key: SECRET_KEY.to_owned(),
                session_token: None,
            },
        }
    }

    /// The objects of the bucket.
    pub fn objects(&self) -> PathBuf {
        self.directory.path().join("objects").join(BUCKET)
    }

    /// What to tell a registry that keeps its crate files here, under the prefix `registry`.
    pub fn arguments(&self) -> Vec<String> {
        let credentials = self.credentials().to_str().unwrap().to_owned();
        let store = format!("s3://{BUCKET}/registry");
        ["--crate-store", &store, "--s3-endpoint", &self.endpoint(), "--s3-allow-http", "--s3-credentials-file"]
            .into_iter()
            .map(str::to_owned)
            .chain([credentials])
            .collect()
    }
}

/// Where the file of this content lies below a store's root.
pub fn path_of(content: &[u8]) -> PathBuf {
    let checksum = supercargo::package::Checksum::of(content).to_string();
    Path::new(&checksum[..2]).join(format!("{checksum}.crate"))
}
