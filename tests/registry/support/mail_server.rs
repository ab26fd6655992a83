//! A real mail server on loopback, which runs in node and keeps what it gets.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::event::wait_for;
use super::node_packages::{self, MISSING};

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    headers: Vec<(String, String)>,
}

impl Mail {
    /// A header, on one line.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name))?;
        Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The first link to a path.
    pub fn link(&self, path: &str) -> String {
        let found = self.text.split_whitespace().find(|word| word.starts_with("http") && word.contains(path));
        found.unwrap_or_else(|| panic!("no link to {path} in {}", self.text)).to_owned()
    }
}

/// Stopped at the end.
pub struct MailServer {
    pub port: u16,
    process: Child,
    input: ChildStdin,
    lines: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl MailServer {
    /// It takes everything.
    pub fn start() -> Self {
        Self::start_with(&json!({}))
    }

    /// `configuration` as `mail_server/server.mjs` has it.
    pub fn start_with(configuration: &Value) -> Self {
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/support/mail_server/server.mjs"));
        command.arg(node_packages::of("mail_server")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("node does not start ({error}): {MISSING}"));
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reader = std::thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                for line in output.lines() {
                    lines.lock().unwrap().push(serde_json::from_str(&line.unwrap()).unwrap());
                }
            }
        });
        let mut server = Self { port: 0, process, input, lines, reader: Some(reader) };
        writeln!(server.input, "{configuration}").unwrap();
        server.port = server.wait_for("the port of the mail server", |line| line["port"].as_u64()).try_into().unwrap();
        server
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        wait_for(what, || self.lines.lock().unwrap().iter().find_map(&mut wanted))
    }

    /// Answers each recipient so from now on, or each sender if it begins with `sender `; `None` takes mails again.
    pub fn answer(&mut self, answer: Option<&str>) {
        let done = |lines: &[Value]| lines.iter().filter(|line| line["done"] == true).count();
        let before = done(&self.lines.lock().unwrap());
        writeln!(self.input, "{}", answer.unwrap_or("take")).unwrap();
        wait_for("the mail server", || (done(&self.lines.lock().unwrap()) > before).then_some(()));
    }

    /// The mails, in the order of their arrival.
    pub fn mails(&self) -> Vec<Mail> {
        let lines = self.lines.lock().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mails = lines.iter().filter(|line| line["to"].is_array()).map(|line| Mail {
            to: line["to"].as_array().unwrap().iter().map(text).collect(),
            subject: text(&line["subject"]),
            text: text(&line["text"]),
            headers: line["headers"].as_array().unwrap().iter().map(|one| (text(&one[0]), text(&one[1]))).collect(),
        });
        mails.collect()
    }

    /// The mail after the first so many.
    pub fn mail(&self, number: usize) -> Mail {
        wait_for(&format!("mail {number}"), || self.mails().get(number).cloned())
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            // It ends with the output.
            let _ = reader.join();
        }
    }
}
