//! Another registry that fails as a test says, path by path, while it runs.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex, MutexGuard};
use serde_json::{Value, json};
use supercargo::package::Checksum;
use supercargo::package::index_path::index_path;

use super::package::Package;
use super::recorder::{Recorded, read_request};

/// How a path is answered. A path without one is answered with 404.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Bytes with these headers. A request that names their `ETag` or `Last-Modified` is answered with 304.
    File(Vec<(&'static str, String)>, Vec<u8>),
    /// A status and its headers.
    Status(u16, Vec<(&'static str, String)>),
    /// So many bytes of a longer body, and then the end of the connection.
    Cut(usize, Vec<u8>),
    /// So many bytes of a body, and the rest when the path has another behaviour.
    Halt(usize, Vec<u8>),
    /// No answer until the path has another behaviour, which then answers.
    Stall,
}

impl Behaviour {
    pub fn file(body: impl Into<Vec<u8>>) -> Self {
        Self::File(Vec::new(), body.into())
    }

    /// With an entity tag.
    pub fn tagged(etag: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::File(vec![("etag", etag.to_owned())], body.into())
    }

    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }

    /// To a path or URL.
    pub fn redirect(to: &str) -> Self {
        Self::Status(302, vec![("location", to.to_owned())])
    }
}

#[derive(Default)]
struct State {
    behaviours: BTreeMap<String, Behaviour>,
    log: Vec<Recorded>,
    open: Vec<TcpStream>,
    ends: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

pub struct FaultyUpstream {
    pub url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl FaultyUpstream {
    /// An empty sparse index below `/index/`, whose downloads are below `/dl/`.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting));
        let upstream = Self { url: format!("http://{address}"), address, shared, thread: Some(thread) };
        let config = json!({ "dl": format!("{}/dl/{{crate}}/{{version}}", upstream.url), "api": upstream.url });
        upstream.set("/index/config.json", Behaviour::file(config.to_string()));
        upstream
    }

    /// Lets it say that downloads need a token, too.
    pub fn require_a_token(&self) {
        let dl = format!("{}/dl/{{crate}}/{{version}}", self.url);
        let config = json!({ "dl": dl, "api": self.url, "auth-required": true });
        self.set("/index/config.json", Behaviour::file(config.to_string()));
    }

    /// The URL of its sparse index, as cargo has it.
    pub fn sparse(&self) -> String {
        format!("sparse+{}/index/", self.url)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How a path is answered from now on.
    pub fn set(&self, path: &str, behaviour: Behaviour) {
        self.shared.state.lock().behaviours.insert(path.to_owned(), behaviour);
        self.shared.changed.notify_all();
    }

    pub fn behaviour(&self, path: &str) -> Option<Behaviour> {
        self.shared.state.lock().behaviours.get(path).cloned()
    }

    /// Answers a path with 404 from now on.
    pub fn remove(&self, path: &str) {
        self.shared.state.lock().behaviours.remove(path);
        self.shared.changed.notify_all();
    }

    /// Stores a crate file, and adds its line to the file of the crate, whose tag changes with its content.
    pub fn add(&self, package: &Package, pubtime: &str) -> Checksum {
        let file = package.crate_file();
        let checksum = Checksum::of(&file);
        self.set(&format!("/dl/{}/{}", package.name, package.version), Behaviour::file(file));
        let line = json!({
            "name": package.name, "vers": package.version, "deps": [], "cksum": checksum, "features": {}, "yanked": false,
            "pubtime": pubtime,
        });
        self.add_line(&package.name, &line);
        checksum
    }

    pub fn add_line(&self, name: &str, line: &Value) {
        let path = format!("/index/{}", index_path(&name.parse().unwrap()));
        let before = match self.shared.state.lock().behaviours.get(&path) {
            Some(Behaviour::File(_, before)) => before.clone(),
            _ => Vec::new(),
        };
        let content = [before, format!("{line}\n").into_bytes()].concat();
        self.set(&path, Behaviour::tagged(&format!("\"{}\"", Checksum::of(&content)), content));
    }

    /// The requests for a path so far.
    pub fn requests(&self, path: &str) -> Vec<Recorded> {
        self.shared.state.lock().log.iter().filter(|one| one.path == path).cloned().collect()
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Recorded> {
        self.shared.state.lock().log.clone()
    }

    /// Stops listening, and closes every connection. Its port refuses connections from then on.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.state.lock().ends = true;
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
        for connection in self.shared.state.lock().open.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for FaultyUpstream {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        let mut state = shared.state.lock();
        if state.ends {
            return;
        }
        let Ok(connection) = connection else { continue };
        state.open.extend(connection.try_clone());
        drop(state);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || answer(connection, &shared));
    }
}

/// Answers one request and closes the connection. The client may be gone at any point.
fn answer(connection: TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let request = read_request(&mut reader)?;
    let behaviour = choose(&request, shared);
    let (status, headers, sent, length) = match &behaviour {
        None => (404, &[][..], &[][..], 0),
        Some(Behaviour::Stall) => return None,
        Some(Behaviour::Status(status, headers)) => (*status, &headers[..], &[][..], 0),
        Some(Behaviour::Cut(sent, body) | Behaviour::Halt(sent, body)) => (200, &[][..], &body[..*sent], body.len()),
        Some(Behaviour::File(headers, _)) if is_known(&request, headers) => (304, &headers[..], &[][..], 0),
        Some(Behaviour::File(headers, body)) => (200, &headers[..], &body[..], body.len()),
    };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n");
    let mut connection = reader.into_inner();
    let mut written = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(sent));
    if let Some(Behaviour::Halt(sent, body)) = &behaviour {
        let is_halted = |behaviour: Option<&Behaviour>| matches!(behaviour, Some(Behaviour::Halt(..)));
        wait_while(&mut shared.state.lock(), shared, &request.path, is_halted);
        written = written.and_then(|()| connection.write_all(&body[*sent..]));
    }
    // The other handle of the connection would keep it open.
    written.and_then(|()| connection.shutdown(Shutdown::Both)).ok()
}

/// Notes a request, and waits while its path stalls.
fn choose(request: &Recorded, shared: &Shared) -> Option<Behaviour> {
    let mut state = shared.state.lock();
    state.log.push(request.clone());
    wait_while(&mut state, shared, &request.path, |behaviour| matches!(behaviour, Some(Behaviour::Stall)));
    state.behaviours.get(&request.path).cloned()
}

fn wait_while(
    state: &mut MutexGuard<'_, State>,
    shared: &Shared,
    path: &str,
    is_so: impl Fn(Option<&Behaviour>) -> bool,
) {
    while !state.ends && is_so(state.behaviours.get(path)) {
        shared.changed.wait(state);
    }
}

fn is_known(request: &Recorded, headers: &[(&str, String)]) -> bool {
    [("if-none-match", "etag"), ("if-modified-since", "last-modified")].into_iter().any(|(condition, name)| {
        let known = headers.iter().find(|(one, _)| *one == name).map(|(_, value)| value.as_str());
        known.is_some() && request.find(condition) == known
    })
}
