//! Options of `completions` and `man`, which generate files from the command line's definition.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Args, Debug)]
pub struct CompletionsOptions {
    /// The shell: bash, zsh, fish, elvish or powershell
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub shell: Shell,
}

#[derive(Args, Debug)]
pub struct ManOptions {
    /// Directory for the pages of all commands, which is created; without it, the main page is printed
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}
