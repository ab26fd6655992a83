//! Option for the format of a command's output.

use clap::Args;

/// The output format.
#[derive(Args, Debug, Clone, Copy)]
pub struct OutputOptions {
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}
