//! The repository itself, and config.json. A remote that the index is pushed to is to be held against the head here, too.

use super::difference::{Difference, Kind};
use super::run::{Depth, Flow, Run, VerifyError};
use crate::index::{Condition, ConfigJson};

/// How often git is asked before it is believed that the repository is damaged: a repack beside it misleads it.
const TRIES: usize = 3;

impl Run<'_> {
    pub(super) fn look_at_the_repository(&mut self) -> Result<Flow, VerifyError> {
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
