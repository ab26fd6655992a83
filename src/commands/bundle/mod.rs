//! `supercargo bundle`.

mod create;
mod import;

use std::process::ExitCode;

use crate::config::BundleCommand;
use crate::process::CommandError;

pub(super) fn bundle(command: BundleCommand) -> Result<ExitCode, CommandError> {
    match command {
        BundleCommand::Create(options) => create::create(&options),
        BundleCommand::Import(options) => import::import(&options),
    }
}
