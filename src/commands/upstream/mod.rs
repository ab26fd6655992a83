//! `supercargo upstream`.

mod fetch;
mod mirror;
mod status;

use std::process::ExitCode;

use crate::admin::{self, pins, upstreams};
use crate::config::{RefusalOptions, RuleArguments, UpstreamCommand};
use crate::database::upstream_rules::{Decision, Subject, VersionOfSeveral};
use crate::process::operator_command::{on, operator};
use crate::process::registry_address::known_address;
use crate::process::{CommandError, Storage};

pub(super) fn upstream(command: UpstreamCommand) -> Result<ExitCode, CommandError> {
    let done = match command {
        UpstreamCommand::Allow { about, reason, storage } => on(&storage, |connection| {
            upstreams::decide(connection, &operator(), &subject(about)?, (Decision::Allow, &reason))
        }),
        UpstreamCommand::Hold(options) => refuse(options, Decision::Hold),
        UpstreamCommand::Block(options) => refuse(options, Decision::Block),
        UpstreamCommand::Release { about, storage } => {
            on(&storage, |connection| upstreams::release(connection, &operator(), &subject(about)?))
        }
        UpstreamCommand::Exposure { about, exposure, upstreams, storage } => {
            let attached = Storage::attach_or_start(&storage)?;
            let index = upstreams.iter().rev().find(|one| one.name == about.upstream).map(|one| &*one.index);
            let base_url = known_address(&storage, None).ok().map(|address| address.url);
            let known = (index, base_url.as_deref(), &*attached.data_dir.upstream_index());
            let shown = attached.connect().and_then(|mut connection| {
                let about = (&*about.upstream, &about.about);
                Ok(admin::exposure::of_upstream(&mut connection, about, known, &exposure)?)
            });
            attached.close()?;
            shown
        }
        UpstreamCommand::Rules { upstream, output, storage } => {
            on(&storage, |connection| upstreams::list(connection, upstream.as_deref(), output.json))
        }
        UpstreamCommand::Unpin { about, storage } => {
            on(&storage, |connection| pins::unpin(connection, &operator(), (&about.upstream, &about.about)))
        }
        UpstreamCommand::Pins { upstream, output, storage } => {
            on(&storage, |connection| pins::list(connection, upstream.as_deref(), output.json))
        }
        UpstreamCommand::Status(options) => return status::status(&options),
        UpstreamCommand::Fetch(options) => return fetch::fetch(&options),
        UpstreamCommand::Pin(options) => return fetch::pin(&options),
        UpstreamCommand::Mirror(options) => return mirror::mirror(&options),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn refuse(options: RefusalOptions, decision: Decision) -> Result<(), CommandError> {
    let RefusalOptions { about, reason, storage } = options;
    on(&storage, |connection| upstreams::decide(connection, &operator(), &subject(about)?, (decision, &reason)))
}

fn subject(about: RuleArguments) -> Result<Subject, VersionOfSeveral> {
    Subject::new(about.upstream, about.about.crates, about.about.version)
}
