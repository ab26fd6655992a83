//! The repository itself, its remote, and config.json.

use crate::index::{Condition, ConfigJson, Index};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;
use crate::verify::progress::{Flow, Progress};
use crate::verify::recheck::remote;
use crate::verify::settings::Depth;

/// How often git has to find damage before it counts: a concurrent repack can mislead it.
const TRIES: usize = 3;

pub fn check(context: &Context<'_>, progress: &mut Progress<'_>) -> Result<Flow, VerifyError> {
    progress.record(context, remote::recheck(context)?)?;
    progress.record(context, check_config_json(context.index)?.into_iter().collect())?;
    if context.settings.depth == Depth::Light || context.index.head()?.commit.is_none() {
        return Ok(Flow::Done);
    }
    for last in (0..TRIES).map(|number| number + 1 == TRIES) {
        match context.index.fsck(context.settings.all_objects, &|| context.is_stopped())? {
            Condition::Whole => break,
            Condition::Unknown => return Ok(Flow::Stopped),
            Condition::Damaged(_) if !last => {}
            Condition::Damaged(output) => {
                let lines = output.lines().collect::<Vec<_>>().join("; ");
                progress.record(context, vec![Difference::new(Kind::BrokenRepository, lines, "whole")])?;
            }
        }
    }
    Ok(Flow::Done)
}

fn check_config_json(index: &Index) -> Result<Option<Difference>, VerifyError> {
    let problem = match index.read(&index.head()?, ConfigJson::PATH)? {
        None => Some("no file".to_owned()),
        Some(file) => ConfigJson::parse(&file.content).err().map(|error| error.to_string()),
    };
    let expected = "a JSON object with `dl` and `api`";
    Ok(problem.map(|found| Difference::new(Kind::ConfigJson, found, expected).at(ConfigJson::PATH)))
}
