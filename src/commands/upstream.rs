//! `supercargo upstream`.

use crate::admin::{self, upstreams};
use crate::config::{RuleArguments, UpstreamCommand};
use crate::database::upstream_rules::{Decision, Subject};
use crate::process::operator_command::{on, operator};
use crate::process::registry_address::known_address;
use crate::process::{CommandError, Storage};

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
        UpstreamCommand::Exposure { about, exposure, upstreams, storage } => {
            let attached = Storage::attach_or_start(&storage)?;
            let index = upstreams.iter().rev().find(|one| one.name == about.upstream).map(|one| &*one.index);
            let base_url = known_address(&storage, None).ok().map(|address| address.url);
            let known = (index, base_url.as_deref(), &*attached.data_dir.upstream_index());
            let shown = attached.connect().and_then(|mut connection| {
                Ok(admin::exposure::of_upstream(&mut connection, &subject(about), known, &exposure)?)
            });
            attached.close()?;
            shown
        }
        UpstreamCommand::Rules { upstream, output, storage } => {
            on(&storage, |connection| upstreams::list(connection, upstream.as_deref(), output.json))
        }
    }
}

fn subject(about: RuleArguments) -> Subject {
    Subject { upstream: about.upstream, name: about.about.name, version: about.about.version }
}
