//! The `supercargo` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use supercargo::commands;

/// A publish and a read allocate and free small pieces on several threads. With the C library's allocator that takes a
/// quarter of their time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    commands::run()
}
