//! A registry of `supercargo with`, held for as long as a test needs it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use super::process::supercargo;

/// The command that `with` runs tells its environment and then waits for the end of its input.
const HOLD: &str = "env; echo READY; cat >/dev/null";

/// A running `supercargo with`.
pub struct Throwaway {
    pub with: Child,
    environment: HashMap<String, String>,
}

impl Throwaway {
    pub fn start(users: &[&str]) -> Self {
        let mut command = supercargo();
        command.arg("with").args(users.iter().flat_map(|user| ["--user", user])).args(["--", "sh", "-c", HOLD]);
        let mut with = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(with.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told: Vec<_> = told.take_while(|line| line != "READY").collect();
        let environment: HashMap<_, _> =
            told.iter().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert!(environment.contains_key("SUPERCARGO_URL"), "`with` ended before its command began: {told:?}");
        Self { with, environment }
    }

    /// A variable of the command.
    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).unwrap_or_else(|| panic!("{name} is not set"))
    }

    pub fn url(&self) -> &str {
        self.variable("SUPERCARGO_URL")
    }

    /// The command ends by itself, and `with` after it.
    pub fn end(mut self) {
        drop(self.with.stdin.take());
        let status = self.with.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        drop(self.with.stdin.take());
        self.with.wait().unwrap();
    }
}
