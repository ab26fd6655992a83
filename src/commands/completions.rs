//! `supercargo completions`: prints the completions of a shell.

use crate::admin::output::print_generated;
use crate::config::{self, CompletionsOptions};
use crate::process::CommandError;

pub(super) fn completions(options: &CompletionsOptions) -> Result<(), CommandError> {
    let mut generated = Vec::new();
    clap_complete::generate(options.shell, &mut config::command(), "supercargo", &mut generated);
    Ok(print_generated(&generated)?)
}
