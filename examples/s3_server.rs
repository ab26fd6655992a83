//! An S3 server for trying things by hand and by script/try-operations: `s3_server DIRECTORY KEYS PORT_FILE`. Buckets are
//! directories below DIRECTORY; KEYS has an access key and a secret key a line, and is read for each connection, so that
//! keys can come and go; PORT_FILE is written when it listens.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, keys, port_file] = &arguments[..] else { panic!("s3_server DIRECTORY KEYS PORT_FILE") };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    std::fs::write(port_file, listener.local_addr().unwrap().port().to_string()).unwrap();
    let mut current = None;
    while let Ok((connection, _)) = listener.accept().await {
        let text = std::fs::read_to_string(keys).unwrap();
        let (_, service) = match current.take() {
            Some((former, service)) if former == text => current.insert((former, service)),
            _ => current.insert((text.clone(), service(directory, &text))),
        };
        let service = service.clone();
        tokio::spawn(async move {
            // A connection for each request, so that a key that was taken away opens nothing any more.
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().keep_alive(false);
            let _ = builder.serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

/// One for all connections: it names what it is writing by a counter of its own.
fn service(directory: &str, keys: &str) -> S3Service {
    let mut auth = SimpleAuth::new();
    for line in keys.lines() {
        let (access_key, secret_key) = line.split_once(' ').unwrap();
        auth.register(access_key.to_owned(), secret_key.into());
    }
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(directory).unwrap());
    builder.set_auth(auth);
    builder.build()
}
