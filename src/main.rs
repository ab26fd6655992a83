//! The `supercargo` program.

use std::process::ExitCode;

use supercargo::commands;

fn main() -> ExitCode {
    commands::run()
}
