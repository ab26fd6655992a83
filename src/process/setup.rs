//! The first user of a new registry, and the index's config.json.

use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::{Connection, PgConnection};
use serde_json::json;

use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::new_token::NewToken;
use crate::database::access::users;
use crate::database::catalog::versions;
use crate::index::{ConfigJson, Index, IndexError, Remote};
use crate::process::CommandError;
use crate::replace_file::replace_file;

/// The user that the first start creates.
pub const ADMIN: &str = "admin";

/// Creates the first user with a token and writes the token to a file with mode 0600; false if there are users. The file is
/// written before the transaction commits, so a start that is killed in between repeats both.
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
        replace_file(token_file, format!("{}\n", token.reveal()).as_bytes()).map_err(|error| {
            CommandError::while_doing(format!("cannot write the token to {}", token_file.display()), error)
        })?;
        Ok(true)
    })
}

/// Refuses to serve an empty index when the database has published versions: clients would see a registry without crates.
pub fn refuse_lost_index(index: &Index, connection: &mut PgConnection) -> Result<(), CommandError> {
    if index.head()?.commit.is_some() || !versions::any_shown(connection)? {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "the index {} is empty although the database has published versions: restore it with `supercargo restore DIR \
         --index-only`, or render a new one with `supercargo verify --repair`",
        index.path().display()
    )))
}

/// How long to wait for the write lock of a mirror; its holder may be fetching.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// Writes config.json through a mirror to its remote, and names the mirror's branch as the remote's; called again until
/// that succeeds. None only removes leftovers.
pub fn prepare_mirror(index: &Index, remote: &Remote, config: Option<&ConfigJson>) -> Result<(), IndexError> {
    let writer = index.lock_writer_within(LOCK_PATIENCE)?;
    log_leftovers(&writer.clean_leftovers()?);
    let Some(config) = config else { return Ok(()) };
    if remote.is_unsure() {
        writer.catch_up(remote)?;
    }
    let head = index.head()?;
    let present = index.read(&head, ConfigJson::PATH)?;
    writer.commit(&head, &[config.change_merged(present.as_ref().map(|file| &file.content[..]))])?;
    writer.name_branch(remote.branch())
}

fn log_leftovers(leftovers: &[PathBuf]) {
    for leftover in leftovers {
        tracing::info!(leftover = %leftover.display(), "removed a leftover of a killed index writer");
    }
}

/// The config.json of a registry at this URL.
pub fn config_json(base_url: &str, auth_required: bool) -> ConfigJson {
    ConfigJson { dl: format!("{base_url}/api/v1/crates"), api: base_url.to_owned(), auth_required }
}

/// Writes config.json if it differs, and names the branch. Jobs do neither. As the first write after a start this also
/// removes the leftovers of a killed writer.
pub fn ensure_config_json(index: &Index, branch: &str, config: &ConfigJson) -> Result<(), CommandError> {
    let writer = index.lock_writer()?;
    log_leftovers(&writer.clean_leftovers()?);
    loop {
        let head = index.head()?;
        let present = index.read(&head, ConfigJson::PATH)?;
        match writer.commit(&head, &[config.change(present.as_ref().map(|file| &file.content[..]))]) {
            Err(IndexError::HeadMoved { .. }) => {}
            written => {
                written?;
                return Ok(writer.name_branch(branch)?);
            }
        }
    }
}
