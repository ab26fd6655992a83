//! What a registry needs once: its first user, and the index's config.json.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::{Connection, PgConnection};
use serde_json::json;

use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::tokens::NewToken;
use crate::database::access::users;
use crate::database::catalog::versions;
use crate::index::{ConfigJson, Index, IndexError, Remote};
use crate::process::CommandError;

/// The user that the first start makes.
pub const ADMIN: &str = "admin";

/// Creates the first user with a token and writes the token to a file that only its owner can read; true if it did.
/// The file is on the disk before the token counts: a start that is killed in between does it again.
pub fn ensure_admin(connection: &mut PgConnection, token_file: &Path) -> Result<bool, CommandError> {
    connection.transaction(|connection| {
        if users::any(connection)? {
            return Ok(false);
        }
        let admin = users::create(connection, ADMIN, None)?;
        users::set_admin(connection, admin.id, true)?;
        let (made, token) = NewToken::named("made by the first start").create(connection, admin.id)?;
        let myself = Actor::operator("the first start".to_owned());
        Event::new(Action::UserCreate)
            .about(&admin.login)
            .detail(json!({ "admin": true }))
            .record(connection, &myself)?;
        Event::new(Action::TokenCreate).about(&made.name).detail(made.describe()).record(connection, &myself)?;
        write_secret(token_file, token.reveal()).map_err(|error| {
            CommandError::while_doing(format!("the token can't be written to {}", token_file.display()), error)
        })?;
        Ok(true)
    })
}

fn write_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    if let Err(error) = std::fs::remove_file(&unfinished)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Refuses to serve an empty index in place of one that was lost: clients would be told that there are no crates.
pub fn refuse_lost_index(index: &Index, connection: &mut PgConnection) -> Result<(), CommandError> {
    if index.head()?.commit.is_some() || !versions::any_shown(connection)? {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "the index {} is empty, and the database has published versions: the index is lost. Restore it from a backup with \
         `supercargo restore DIR --index-only`",
        index.path().display()
    )))
}

/// How long another process may have the right to write a mirror; it may be fetching.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// The same for the mirror of a remote, as often as it takes until the remote has it; None only cleans up.
pub fn prepare_mirror(index: &Index, remote: &Remote, config: Option<&ConfigJson>) -> Result<(), IndexError> {
    let writer = index.lock_writer_within(LOCK_PATIENCE)?;
    log_leftovers(&writer.clean_leftovers()?);
    let Some(config) = config else { return Ok(()) };
    if remote.is_unsure() {
        writer.catch_up(remote)?;
    }
    let head = index.head()?;
    let present = index.read(&head, ConfigJson::PATH)?;
    writer.commit(&head, &[config.change_merged(present.as_ref().map(|file| &file.content[..]))]).map(drop)
}

fn log_leftovers(leftovers: &[PathBuf]) {
    for leftover in leftovers {
        tracing::info!(leftover = %leftover.display(), "removed what a killed writer left in the index");
    }
}

/// What config.json is to say.
pub fn config_json(base_url: &str, auth_required: bool) -> ConfigJson {
    ConfigJson { dl: format!("{base_url}/api/v1/crates"), api: base_url.to_owned(), auth_required }
}

/// Writes config.json where it differs from what clients are to be told. No job ever does. It is the first to write after
/// a start, and so cleans up behind a writer that was killed.
pub fn ensure_config_json(index: &Index, config: &ConfigJson) -> Result<(), CommandError> {
    let writer = index.lock_writer()?;
    log_leftovers(&writer.clean_leftovers()?);
    loop {
        let head = index.head()?;
        let present = index.read(&head, ConfigJson::PATH)?;
        match writer.commit(&head, &[config.change(present.as_ref().map(|file| &file.content[..]))]) {
            Err(IndexError::HeadMoved { .. }) => {}
            written => return Ok(written.map(drop)?),
        }
    }
}
