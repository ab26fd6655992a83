//! The repository itself, its remote, and config.json.

use std::time::{Duration, Instant};

use super::difference::{Difference, Kind};
use super::run::{Depth, Flow, Run, VerifyError};
use crate::index::{Condition, ConfigJson, Oid};

/// How often git is asked before it is believed that the repository is damaged: a repack beside it misleads it.
const TRIES: usize = 3;

/// How often the remote is asked that has something else.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long another process may have the right to write the mirror.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

impl Run<'_> {
    pub(super) fn look_at_the_repository(&mut self) -> Result<Flow, VerifyError> {
        let remote = self.look_at_the_remote()?;
        self.settled(remote)?;
        let config = self.look_at_config_json()?;
        self.settled(config)?;
        if self.verifier.settings.depth == Depth::Light || self.verifier.index.head()?.commit.is_none() {
            return Ok(Flow::Done);
        }
        for last in (0..TRIES).map(|number| number + 1 == TRIES) {
            let stopped = || self.verifier.is_stopped();
            match self.verifier.index.fsck(self.verifier.settings.all_objects, &stopped)? {
                Condition::Whole => break,
                Condition::Unknown => return Ok(Flow::Stopped),
                Condition::Damaged(_) if !last => {}
                Condition::Damaged(said) => {
                    let lines = said.lines().collect::<Vec<_>>().join("; ");
                    self.settled(vec![Difference::new(Kind::BrokenRepository, lines, "whole")])?;
                }
            }
        }
        Ok(Flow::Done)
    }

    /// Whether the index here is what its remote has, if it has one. A mirror follows a moment later.
    pub(super) fn look_at_the_remote(&self) -> Result<Vec<Difference>, VerifyError> {
        let index = self.verifier.index;
        let Some(remote) = index.remote() else { return Ok(Vec::new()) };
        let named = |head: Option<Oid>| head.map_or("no commit".to_owned(), |commit| commit.to_string());
        let until = Instant::now() + self.verifier.settings.patience;
        loop {
            let there = remote.head();
            let here = index.head()?.commit;
            if there.as_ref().is_ok_and(|there| *there == here) {
                return Ok(Vec::new());
            }
            if Instant::now() >= until || self.verifier.is_stopped() {
                let found = there.map_or_else(|error| error.to_string(), named);
                return Ok(vec![Difference::new(Kind::RemoteDiffers, found, named(here)).at(remote.url())]);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Brings what the remote has.
    pub(super) fn follow_the_remote(&self) -> Result<String, String> {
        let index = self.verifier.index;
        let remote = index.remote().ok_or("it was not named: give --index-remote")?;
        let writer = index.lock_writer_within(LOCK_PATIENCE).map_err(|error| error.to_string())?;
        writer.catch_up(remote).map_err(|error| error.to_string())?;
        Ok("fetched from the remote".to_owned())
    }

    fn look_at_config_json(&self) -> Result<Vec<Difference>, VerifyError> {
        let index = self.verifier.index;
        let problem = match index.read(&index.head()?, ConfigJson::PATH)? {
            None => Some("no file".to_owned()),
            Some(file) => ConfigJson::parse(&file.content).err().map(|error| error.to_string()),
        };
        let expected = "a JSON object with `dl` and `api`";
        Ok(problem
            .map(|found| Difference::new(Kind::ConfigJson, found, expected).at(ConfigJson::PATH))
            .into_iter()
            .collect())
    }
}
