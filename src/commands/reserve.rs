//! `supercargo admin crate reserve`.

use std::io::Read;
use std::path::Path;

use crate::admin::crates::{self, Named};
use crate::config::ReserveOptions;
use crate::database::access::audit::Actor;
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::package::name::NameError;
use crate::process::CommandError;
use crate::process::operator_command::{on, read_token};
use crate::upstream::{Token, Upstream};

/// The largest index file, in bytes.
const MAX_INDEX_FILE: u64 = 64 * 1024 * 1024;
/// The index of the upstream that needs no URL.
const CRATES_IO: (&str, &str) = ("crates-io", "https://index.crates.io/");

pub(super) fn reserve(options: &ReserveOptions, operator: &Actor) -> Result<(), CommandError> {
    let names = match (&options.name, &options.names) {
        (Some(name), _) => vec![name.parse().map_err(|error: NameError| CommandError::new(error.to_string()))?],
        (None, Some(file)) => read(file)?,
        (None, None) => Vec::new(),
    };
    // Before anything is reserved: a network that fails changes nothing.
    let unknown = options.from_upstream.as_deref().map(|of| Ok::<_, CommandError>((of, unknown(options, of, &names)?)));
    let unknown = unknown.transpose()?;
    let unknown = unknown.as_ref().map(|(of, names)| (*of, &**names));
    let named = if options.name.is_some() { Named::One } else { Named::Listed };
    on(&options.storage, |connection| {
        crates::reserve(connection, operator, (&names, named), &options.reason)?;
        crates::complain_of_unknown(unknown);
        Ok(())
    })
}

/// The names in a file, one on a line; empty lines and those that begin with # are left out.
fn read(file: &Path) -> Result<Vec<CrateName>, CommandError> {
    let shown = file.display();
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text).map(drop),
        false => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)).map(drop),
    };
    read.map_err(|error| CommandError::while_doing(format!("--names: cannot read {shown}"), error))?;
    let lines = (1..).zip(text.lines().map(str::trim));
    let named = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let names: Result<Vec<CrateName>, CommandError> = named
        .map(|(number, line)| {
            let refused = |error: NameError| {
                CommandError::new(format!("--names: {shown}: line {number}: {error}; nothing was changed"))
            };
            line.parse().map_err(refused)
        })
        .collect();
    match names? {
        none if none.is_empty() => {
            Err(CommandError::new(format!("--names: {shown} has no names: write one on each line")))
        }
        names => Ok(names),
    }
}

/// The names of which an upstream has no crate.
fn unknown(options: &ReserveOptions, of: &str, names: &[CrateName]) -> Result<Vec<CrateName>, CommandError> {
    let given = options.upstreams.iter().rev().find(|one| one.name == of).map(|one| &*one.index);
    let index = given.or((of == CRATES_IO.0).then_some(CRATES_IO.1)).ok_or_else(|| {
        CommandError::new(format!(
            "--from-upstream: there is no upstream {of:?}: give its index, with --upstream {of}=sparse+URL or in the configuration file, \
             as `serve` has it"
        ))
    })?;
    let file = options.upstream_token_files.iter().rev().find(|one| one.name == of);
    let token = file.map(|one| read_token("--upstream-token-file", &one.file)).transpose()?;
    let client = Upstream::anonymous();
    let client = token.map_or_else(|| client.clone(), |secret| client.with_token(Token::new(secret, false)));
    let mut unknown = Vec::new();
    for name in names {
        let found = client.fetch_decoded(&format!("{index}{}", index_path(name)), MAX_INDEX_FILE);
        let found = found.map_err(|error| {
            CommandError::while_doing(
                format!("--from-upstream: nothing was changed: {of} cannot be asked for {name}"),
                error,
            )
        })?;
        if found.is_none_or(|file| file.is_empty()) {
            unknown.push(name.clone());
        }
    }
    Ok(unknown)
}
