//! `supercargo man`: prints the manual page, or writes those of all commands.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap_mangen::Man;

use crate::admin::output::{print_generated, say};
use crate::config::{self, ManOptions};
use crate::process::{CommandError, hardening};

pub(super) fn man(options: &ManOptions) -> Result<(), CommandError> {
    let mut command = config::command().disable_help_subcommand(true);
    command.build();
    let Some(directory) = &options.directory else {
        return Ok(print_generated(&page(command)?)?);
    };
    let failed = |error| {
        CommandError::while_doing(
            format!("cannot write manual pages to {} (name another directory)", directory.display()),
            error,
        )
    };
    create(directory).map_err(failed)?;
    let count = write_all(command, directory).map_err(failed)?;
    say!("wrote {count} manual pages to {}", directory.display());
    Ok(())
}

/// Creates the directory for all to read; the umask of this process would keep others out.
fn create(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(hardening::usual_mode()))
}

/// Writes the pages of a command and those below it, and returns their number.
fn write_all(command: clap::Command, directory: &Path) -> io::Result<usize> {
    let mut count = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        count += write_all(below.clone(), directory)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let path = directory.join(format!("{name}.1"));
    fs::write(&path, page(command)?)?;
    fs::set_permissions(&path, Permissions::from_mode(hardening::usual_mode() & 0o666))?;
    Ok(count)
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
