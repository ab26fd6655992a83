//! `supercargo upstream`.

use crate::admin::upstreams;
use crate::config::{RuleArguments, UpstreamCommand};
use crate::database::upstream_rules::{Decision, Subject};
use crate::process::CommandError;
use crate::process::operator_command::{on, operator};

pub(super) fn upstream(command: UpstreamCommand) -> Result<(), CommandError> {
    match command {
        UpstreamCommand::Allow { about, reason, storage } => on(&storage, |connection| {
            upstreams::decide(connection, &operator(), &subject(about), (Decision::Allow, &reason))
        }),
        UpstreamCommand::Hold { about, reason, storage } => on(&storage, |connection| {
            upstreams::decide(connection, &operator(), &subject(about), (Decision::Hold, &reason))
        }),
        UpstreamCommand::Block { about, reason, storage } => on(&storage, |connection| {
            upstreams::decide(connection, &operator(), &subject(about), (Decision::Block, &reason))
        }),
        UpstreamCommand::Release { about, storage } => {
            on(&storage, |connection| upstreams::release(connection, &operator(), &subject(about)))
        }
        UpstreamCommand::Rules { upstream, output, storage } => {
            on(&storage, |connection| upstreams::list(connection, upstream.as_deref(), output.json))
        }
    }
}

fn subject(about: RuleArguments) -> Subject {
    Subject { upstream: about.upstream, name: about.about.name, version: about.about.version }
}
