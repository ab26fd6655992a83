//! An HTTP server that takes whatever is sent to it and remembers it: PagerDuty, a webhook or Sentry, as far as the sender
//! can tell.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request, and what it was answered.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub answered: u16,
}

impl Recorded {
    pub fn find(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    pub fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Everything that was sent, as text.
    pub fn everything(&self) -> String {
        format!("{} {:?} {}", self.path, self.headers, String::from_utf8_lossy(&self.body))
    }
}

#[derive(Clone)]
pub struct Recorder {
    pub url: String,
    recorded: Arc<Mutex<Vec<Recorded>>>,
    status: Arc<AtomicU16>,
}

impl Recorder {
    /// Answers 202 until it is told otherwise.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            recorded: Arc::default(),
            status: Arc::new(AtomicU16::new(202)),
        };
        let shared = recorder.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.answer(stream.unwrap()));
            }
        });
        recorder
    }

    /// What is answered from now on.
    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Everything so far, in the order of arrival.
    pub fn all(&self) -> Vec<Recorded> {
        self.recorded.lock().unwrap().clone()
    }

    /// What was sent to a path and accepted.
    pub fn accepted(&self, path: &str) -> Vec<Recorded> {
        self.all().into_iter().filter(|one| one.path == path && one.answered < 300).collect()
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(mut request) = read_request(&mut reader) {
            request.answered = self.status.load(Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {} Whatever\r\ncontent-length: 2\r\n\r\n{{}}", request.answered);
            // Remembered before it is answered: who was told of success finds it here.
            self.recorded.lock().unwrap().push(request);
            if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// The next request of a connection; None if the client has closed it.
pub fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Recorded> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    assert!(!headers.iter().any(|(name, _)| name == "transfer-encoding"), "{headers:?}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(Recorded { path, headers, body, answered: 0 })
}
