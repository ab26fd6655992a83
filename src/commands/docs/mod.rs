//! `supercargo docs`: uploads documentation from CI.

mod package;
mod registry;

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use serde::Deserialize;

use self::package::Package;
use self::registry::Registry;
use crate::admin::output::say;
use crate::backup::progress::Progress;
use crate::config::{DocsCommand, DocsDeleteOptions, DocsPushOptions};
use crate::docs_archive;
use crate::package::limits::ByteSize;
use crate::package::{CrateName, Version};
use crate::process::CommandError;

pub(super) fn docs(command: DocsCommand) -> Result<(), CommandError> {
    match command {
        DocsCommand::Push(options) => push(options),
        DocsCommand::Delete(options) => delete(&options),
    }
}

/// What the registry answers to an upload.
#[derive(Deserialize)]
struct Uploaded {
    docs_url: String,
    files: usize,
    unpacked_size: u64,
    replaced: bool,
}

fn push(options: DocsPushOptions) -> Result<(), CommandError> {
    let DocsPushOptions { krate, num, dir, zip, directory, registry } = options;
    let needs_package = krate.is_none() || num.is_none() || (dir.is_none() && zip.is_none());
    let package = needs_package.then(|| Package::find(krate.as_ref())).transpose()?;
    let registry = Registry::find(&registry, package.as_ref().and_then(Package::registry))?;
    let (name, num) = named(krate, num, package.as_ref())?;
    let directory = directory.or_else(|| package.as_ref().and_then(|package| package.library.clone()));
    let archive = match (zip, dir.or_else(|| package.map(|package| package.docs))) {
        (Some(zip), _) => File::open(&zip).map_err(|error| CommandError::while_doing(zip.display(), error))?,
        (None, Some(dir)) => pack(&dir)?,
        (None, None) => return Err(CommandError::new("give --dir or --zip")),
    };
    let size = archive.metadata()?.len();
    let uploading = Progress::of_bytes("upload", size);
    let path = format!("crates/{name}/{num}/docs");
    let query = directory.as_deref().map(|directory| ("directory", directory));
    let answer = registry.put(&path, query, BufReader::new(archive), size, |sent| uploading.advance(sent))?;
    drop(uploading);
    let Uploaded { docs_url, files, unpacked_size, replaced } = answer;
    let done = if replaced { "replaced" } else { "uploaded" };
    say!(
        "{done} the documentation of {name} {num} ({files} files, {}; {} in the zip)",
        ByteSize(unpacked_size),
        ByteSize(size)
    );
    say!("{docs_url}");
    Ok(())
}

fn delete(options: &DocsDeleteOptions) -> Result<(), CommandError> {
    let DocsDeleteOptions { krate, num, registry } = options;
    Registry::find(registry, None)?.delete(&format!("crates/{krate}/{num}/docs"))?;
    say!("deleted the documentation of {krate} {num}");
    Ok(())
}

fn named(
    krate: Option<CrateName>,
    num: Option<Version>,
    package: Option<&Package>,
) -> Result<(CrateName, Version), CommandError> {
    let name = krate.or_else(|| package.map(|package| package.name.clone()));
    let num = num.or_else(|| package.map(|package| package.version.clone()));
    name.zip(num).ok_or_else(|| CommandError::new("give --crate and --version"))
}

/// Zips a directory, into a file that is removed with this process.
fn pack(dir: &Path) -> Result<File, CommandError> {
    if !dir.is_dir() {
        return Err(CommandError::new(format!(
            "{} is no directory: run `cargo doc --no-deps` first, or give --dir with the directory that cargo wrote",
            dir.display()
        )));
    }
    let mut file = tempfile::tempfile()?;
    let mut packing = None;
    docs_archive::pack(dir, &mut file, |done, all| {
        let bar = packing.get_or_insert_with(|| Progress::of_count("zip", all as u64));
        bar.advance(u64::from(done > 0));
    })?;
    file.rewind()?;
    Ok(file)
}
