//! A client of its own, which sends a request until it is accepted, while another one does the same.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::{Heard, Request, send};
use crate::support::process::Served;

/// The other client.
pub struct Beside {
    thread: JoinHandle<Result<(), String>>,
}

impl Beside {
    /// Does not start a registry again that has died, and finds it wherever it is then.
    pub fn start(served: &Served, token: &str, request: Request, patience: Duration, give_up: Duration) -> Self {
        let (data, token): (PathBuf, String) = (served.data_dir(), token.to_owned());
        let thread = std::thread::spawn(move || {
            let until = Instant::now() + give_up;
            let mut tries = 0;
            loop {
                let heard = match std::fs::read_to_string(data.join("url")) {
                    Ok(url) => {
                        tries += 1;
                        send(url.trim(), &token, &request, patience)
                    }
                    Err(_) => Heard::Nothing("the registry is not there".to_owned()),
                };
                match heard {
                    Heard::Accepted => return Ok(()),
                    Heard::AcceptedBefore if tries > 1 => return Ok(()),
                    heard if Instant::now() > until => {
                        return Err(format!("the other client has no answer in {give_up:?}: {heard:?}"));
                    }
                    _ => std::thread::park_timeout(Duration::from_millis(20)),
                }
            }
        });
        Self { thread }
    }

    pub fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    pub fn result(self) -> Result<(), String> {
        self.thread.join().unwrap()
    }
}
