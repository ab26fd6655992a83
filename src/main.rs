//! The `supercargo` program.

use std::process::ExitCode;

use clap::Parser;
use supercargo::commands;
use supercargo::config::Cli;

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
