//! A receiver of webhooks, which answers as a test says and keeps what it got.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// A status, more headers, and a body.
    Answer(u16, &'static str, &'static str),
    /// Reads it and closes the connection.
    Close,
    /// Reads it and is silent until the other side gives up.
    Hang,
}

pub const GOOD: Reaction = Reaction::Answer(204, "", "");
pub const BROKEN: Reaction = Reaction::Answer(500, "", "out of order");

/// A request.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Whether it was answered with a status from 200 to 299.
    pub is_accepted: bool,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

#[derive(Default)]
struct State {
    got: Vec<Got>,
    next: VecDeque<Reaction>,
    usual: Option<Reaction>,
}

pub struct WebhookReceiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WebhookReceiver {
    /// Accepts everything, until a test says otherwise.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (state, ends) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (state, ends) = (Arc::clone(&state), Arc::clone(&ends));
            move || {
                for stream in listener.incoming() {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    let state = Arc::clone(&state);
                    // A client may be killed at any point.
                    std::thread::spawn(move || stream.map(|stream| answer(stream, &state)));
                }
            }
        });
        Self { url, state, ends, thread: Some(thread) }
    }

    /// What it does with the next requests.
    pub fn then(&self, reactions: &[Reaction]) {
        self.state.lock().unwrap().next.extend(reactions.iter().cloned());
    }

    /// What it does with all others.
    pub fn always(&self, reaction: Reaction) {
        self.state.lock().unwrap().usual = Some(reaction);
    }

    /// Whether it has done all that was asked of it.
    pub fn is_calm(&self) -> bool {
        self.state.lock().unwrap().next.is_empty()
    }

    /// What it does with all from now on.
    pub fn only(&self, reaction: Reaction) {
        let mut state = self.state.lock().unwrap();
        state.next.clear();
        state.usual = Some(reaction);
    }

    pub fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }

    /// The types of what it got since the last call.
    pub fn kinds(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().got).iter().map(Got::kind).collect()
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut text = Vec::new();
    let mut part = [0; 4096];
    let (head, mut body) = loop {
        if let Some(end) = text.windows(4).position(|part| part == b"\r\n\r\n") {
            break (String::from_utf8(text[..end].to_vec()).ok()?, text[end + 4..].to_vec());
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&part[..read]);
    };
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    while body.len() < length {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        body.extend_from_slice(&part[..read]);
    }
    let reaction = {
        let mut state = state.lock().unwrap();
        let usual = state.usual.clone().unwrap_or(GOOD);
        let reaction = state.next.pop_front().unwrap_or(usual);
        let is_accepted = matches!(reaction, Reaction::Answer(200..=299, ..));
        state.got.push(Got { path, headers, body: String::from_utf8(body).ok()?, is_accepted });
        reaction
    };
    match reaction {
        Reaction::Answer(status, headers, body) => {
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
        Reaction::Close => {}
        Reaction::Hang => {
            let _ = stream.read(&mut part);
        }
    }
    Some(())
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let address = self.url.trim_start_matches("http://").trim_end_matches("/hook");
        let _ = TcpStream::connect(address);
        let _ = self.thread.take().unwrap().join();
    }
}
