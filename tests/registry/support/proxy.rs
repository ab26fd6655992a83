//! A TCP proxy in front of a server on a unix socket, the test run's PostgreSQL for one, which does what networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Forwards connections until it is told otherwise.
pub struct Proxy {
    port: u16,
    user: String,
    database: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// New connections are accepted and never answered.
    stalled: AtomicBool,
    connections: Mutex<Vec<Arc<Link>>>,
    accepted: AtomicUsize,
}

/// One connection through the proxy.
struct Link {
    client: TcpStream,
    server: UnixStream,
    /// Bytes are taken from both sides and dropped.
    silent: AtomicBool,
}

impl Proxy {
    /// In front of a PostgreSQL that listens on a unix socket, as its URL says.
    pub fn before(url: &str) -> Self {
        let (address, parameters) = url.split_once('?').unwrap();
        let parameter = |name: &str| {
            let mut given = parameters.split('&').filter_map(|one| one.split_once('='));
            given.find(|(one, _)| *one == name).unwrap().1.to_owned()
        };
        let database = address.rsplit_once('/').unwrap().1.to_owned();
        let socket = format!("{}/.s.PGSQL.{}", parameter("host"), parameter("port"));
        let mut proxy = Self::to(socket.as_ref());
        (proxy.user, proxy.database) = (parameter("user"), database);
        proxy
    }

    /// In front of whatever listens on a unix socket. While nothing does, connections end as soon as they are made.
    pub fn to(socket: &Path) -> Self {
        let socket = socket.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&socket)) else { continue };
                client.set_nodelay(true).unwrap();
                let silent = AtomicBool::new(accepting.stalled.load(Ordering::SeqCst));
                let link = Arc::new(Link { client, server, silent });
                accepting.connections.lock().unwrap().push(Arc::clone(&link));
                accepting.accepted.fetch_add(1, Ordering::SeqCst);
                let there = Arc::clone(&link);
                thread::spawn(move || pump(&there, &there.client, &there.server));
                thread::spawn(move || pump(&link, &link.server, &link.client));
            }
        });
        Self { port, shared, user: String::new(), database: String::new() }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the same database through the proxy.
    pub fn url(&self) -> String {
        let Self { user, port, database, .. } = self;
        format!("postgresql://{user}@127.0.0.1:{port}/{database}?sslmode=disable&gssencmode=disable")
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Both ends of every connection are closed.
    pub fn cut(&self) {
        for link in self.shared.connections.lock().unwrap().drain(..) {
            let _ = link.client.shutdown(Shutdown::Both);
            let _ = link.server.shutdown(Shutdown::Both);
        }
    }

    /// Nothing gets through any more, in either direction, and nobody is told; new connections fare alike.
    pub fn stall(&self) {
        self.shared.stalled.store(true, Ordering::SeqCst);
        for link in &*self.shared.connections.lock().unwrap() {
            link.silent.store(true, Ordering::SeqCst);
        }
    }

    /// The server's end of every connection is closed; the client's looks as it was, for ever. New ones are good.
    pub fn half_open(&self) {
        for link in &*self.shared.connections.lock().unwrap() {
            link.silent.store(true, Ordering::SeqCst);
            let _ = link.server.shutdown(Shutdown::Both);
        }
    }

    /// New connections are good again; what was stalled stays lost until it is cut.
    pub fn recover(&self) {
        self.shared.stalled.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

fn pump<R, W>(link: &Link, mut from: &R, mut to: &W)
where
    for<'a> &'a R: Read,
    for<'a> &'a W: Write,
{
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(_) if link.silent.load(Ordering::SeqCst) => {}
            Ok(length) => {
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
        }
    }
    if !link.silent.load(Ordering::SeqCst) {
        let _ = link.client.shutdown(Shutdown::Both);
        let _ = link.server.shutdown(Shutdown::Both);
    }
}
