//! Tests of the index through a real listener, with raw HTTP for the sparse protocol and git for the git protocol.

mod fetching;
mod listing;
mod memory;
mod queueing;
mod sharing;
mod sparse_files;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use super::*;
use crate::index::{Change, Committed, GitProgram, Index, View};
use crate::web::client_address::ClientAddress;

/// A listening server and its index; both end with it.
struct Server {
    url: String,
    index: Index,
    directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Server {
        Server::start_with(GitService::new)
    }

    fn start_with(git: impl FnOnce(&Index) -> GitService) -> Server {
        Server::start_as(ClientAddress::default(), GitProgram::default(), git)
    }

    /// A server that sees each request as one of this client, and runs this git.
    fn start_as(client: ClientAddress, program: GitProgram, git: impl FnOnce(&Index) -> GitService) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open_or_init_with(&directory.path().join("index"), program).unwrap();
        Server::listen(client, directory, index, git)
    }

    /// Another server of the same index.
    fn start_on(other: &Server, git: impl FnOnce(&Index) -> GitService) -> Server {
        Server::listen(ClientAddress::default(), tempfile::tempdir().unwrap(), other.index.clone(), git)
    }

    fn listen(
        client: ClientAddress,
        directory: tempfile::TempDir,
        index: Index,
        git: impl FnOnce(&Index) -> GitService,
    ) -> Server {
        let state = IndexState { view: View::new(index.clone()), git: git(&index) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = router(state, "http://registry.test").layer(axum::Extension(client));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Server { url, index, directory, _runtime: runtime }
    }

    fn commit(&self, files: &[(&str, &str)]) -> Committed {
        let changes: Vec<Change> = files
            .iter()
            .map(|(path, content)| Change {
                path: (*path).to_owned(),
                content: Some(content.as_bytes().to_vec().into()),
                message: format!("Publish {path}"),
            })
            .collect();
        let writer = self.index.lock_writer().unwrap();
        writer.commit(&self.index.head().unwrap(), &changes).unwrap()
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, b"")
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .accept_encoding("")
                .timeout_global(Some(Duration::from_secs(60)))
                .build(),
        );
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = agent.run(request.body(body).unwrap()).unwrap();
        let header =
            |name: &str| response.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned());
        let names =
            ["etag", "vary", "cache-control", "content-type", "content-encoding", "content-length", "retry-after"];
        let headers = names.map(|name| (name, header(name)));
        let status = response.status().as_u16();
        Answer { status, headers, body: response.body_mut().read_to_vec().unwrap() }
    }

    fn git_url(&self) -> String {
        format!("{}/git/index", self.url)
    }

    /// Runs git in the directory for clones.
    fn git(&self, arguments: &[&str]) -> Output {
        git(self.directory.path(), arguments)
    }
}

fn git(directory: &Path, arguments: &[&str]) -> Output {
    GitProgram::default().command().current_dir(directory).args(arguments).output().unwrap()
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

struct Answer {
    status: u16,
    headers: [(&'static str, String); 7],
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| *known == name).unwrap().1
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
