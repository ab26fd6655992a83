//! git's own `http-backend` behind a small HTTP server, which does what servers do: it wants a password, hangs, is away,
//! breaks off.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use base64::Engine;

use super::git_remote::Bare;

/// What it does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// Connections are closed at once.
    Away,
    /// Requests are read and not answered, until the mood is another one.
    Hanging,
    /// The next push is carried out and then the connection is closed; from then on it is good.
    BreaksOffOnce,
    /// The next push is read, and carried out when it is [released](GitServer::release); from then on it is good.
    HoldsPushOnce,
}

type Before = Box<dyn FnOnce() + Send>;

/// A server for one repository.
pub struct GitServer {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    /// `user:password`, if one is wanted.
    login: Option<String>,
    mood: Mutex<Mood>,
    changed: Condvar,
    released: AtomicBool,
    /// Requests so far, by what they were for.
    requests: Mutex<Vec<String>>,
    /// Done when the next push has been read, before it is carried out.
    before_push: Mutex<Option<Before>>,
    /// Pushes that were carried out.
    pushes: Mutex<usize>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl GitServer {
    pub fn start(remote: &Bare, login: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/index.git", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            root: remote.parent().to_owned(),
            login: login.map(str::to_owned),
            mood: Mutex::new(Mood::Good),
            changed: Condvar::new(),
            released: AtomicBool::new(false),
            requests: Mutex::default(),
            before_push: Mutex::new(None),
            pushes: Mutex::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), shared) = (client, Arc::clone(&serving)) else { continue };
                // A client that hung up is nobody's failure.
                std::thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self { url, shared }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
        self.shared.changed.notify_all();
    }

    /// Lets the push that was held go on.
    pub fn release(&self) {
        let _mood = self.shared.mood.lock().unwrap();
        self.shared.released.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }

    /// Has something done when the next push has arrived and is not yet carried out.
    pub fn before_push(&self, what: impl FnOnce() + Send + 'static) {
        *self.shared.before_push.lock().unwrap() = Some(Box::new(what));
    }

    /// How many requests there were for this: `git-receive-pack` or `git-upload-pack`.
    pub fn requests(&self, service: &str) -> usize {
        self.shared.requests.lock().unwrap().iter().filter(|one| one.contains(service)).count()
    }

    /// Pushes that were carried out, whatever came of them.
    pub fn pushes(&self) -> usize {
        *self.shared.pushes.lock().unwrap()
    }
}

impl Shared {
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn wait_while(&self, mood: Mood) {
        let now = self.mood.lock().unwrap();
        drop(self.changed.wait_while(now, |now| *now == mood).unwrap());
    }

    fn hold_once(&self) {
        let mut mood = self.mood.lock().unwrap();
        if *mood == Mood::HoldsPushOnce {
            *mood = Mood::Good;
            drop(self.changed.wait_while(mood, |_| !self.released.load(Ordering::SeqCst)).unwrap());
        }
    }

    fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        if self.mood() == Mood::Away {
            return Ok(());
        }
        let mut reader = BufReader::new(client.try_clone()?);
        let Some(request) = read_request(&mut reader)? else { return Ok(()) };
        self.requests.lock().unwrap().push(format!("{} {}?{}", request.method, request.path, request.query));
        self.wait_while(Mood::Hanging);
        if let Some(login) = &self.login {
            let wanted = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login));
            if request.headers.get("authorization") != Some(&wanted) {
                let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"index\"\r\n\
                               Content-Length: 0\r\nConnection: close\r\n\r\n";
                return (&client).write_all(refusal.as_bytes());
            }
        }
        let is_push = request.method == "POST" && request.path.ends_with("/git-receive-pack");
        if is_push {
            if let Some(before) = self.before_push.lock().unwrap().take() {
                before();
            }
            self.hold_once();
        }
        let answer = self.run_backend(&request)?;
        if is_push {
            *self.pushes.lock().unwrap() += 1;
            let mut mood = self.mood.lock().unwrap();
            if *mood == Mood::BreaksOffOnce {
                *mood = Mood::Good;
                return Ok(());
            }
        }
        (&client).write_all(&answer)
    }

    fn run_backend(&self, request: &Request) -> std::io::Result<Vec<u8>> {
        let exec_path = Command::new("git").arg("--exec-path").output()?.stdout;
        let program = PathBuf::from(String::from_utf8_lossy(&exec_path).trim()).join("git-http-backend");
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        let mut child = Command::new(program)
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("REQUEST_METHOD", &request.method)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("REMOTE_USER", "somebody")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdin = child.stdin.take().unwrap();
        let body = request.body.clone();
        let feeding = std::thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output()?.stdout;
        // It may have had enough before the end.
        let _ = feeding.join().unwrap();
        let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
        let mut answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
        for line in head.lines().filter(|line| !line.starts_with("Status: ")) {
            answer.extend(format!("{line}\r\n").bytes());
        }
        answer.extend(b"\r\n");
        answer.extend(&output[end + 4..]);
        Ok(answer)
    }
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (path, query) = target.split_once('?').map_or((target.clone(), String::new()), |(p, q)| (p.into(), q.into()));
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
            reader.by_ref().take(size).read_to_end(&mut body)?;
            let mut end = String::new();
            reader.read_line(&mut end)?;
            if size == 0 {
                break;
            }
        }
    } else {
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Request { method, path, query, headers, body }))
}
