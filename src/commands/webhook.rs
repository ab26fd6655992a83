//! `supercargo webhook`.

use diesel::PgConnection;

use crate::admin::{AdminError, webhooks};
use crate::config::{NewWebhookOptions, StorageOptions, WebhookCommand, WebhookUpdateOptions};
use crate::jobs::webhooks::configure::{Update, Wanted};
use crate::process::CommandError;
use crate::process::operator_command::{on, operator};
use crate::process::registry_address::known_address;

pub(super) fn webhook(command: WebhookCommand) -> Result<(), CommandError> {
    match command {
        WebhookCommand::Add(options) => add(options),
        WebhookCommand::List { krate, team, output, storage } => on(&storage, |connection| {
            webhooks::list(connection, &operator(), (krate.as_deref(), team.as_deref()), output.json)
        }),
        WebhookCommand::Show { id, limit, output, storage } => {
            on(&storage, |connection| webhooks::show(connection, &operator(), id, (limit.into(), output.json)))
        }
        WebhookCommand::Update(WebhookUpdateOptions { id, url, events, description, storage }) => {
            let update = Update { url, description, events };
            on(&storage, |connection| webhooks::update(connection, &operator(), id, &update))
        }
        WebhookCommand::Pause { id, reason, storage } => {
            on(&storage, |connection| webhooks::pause(connection, &operator(), id, reason.as_deref()))
        }
        WebhookCommand::Resume { id, drop, storage } => {
            on(&storage, |connection| webhooks::resume(connection, &operator(), id, drop))
        }
        WebhookCommand::Test { id, wait, storage } => {
            with_url(&storage, |connection, registry| webhooks::test(connection, &operator(), id, (registry, wait)))
        }
        WebhookCommand::Redeliver { id, delivery, storage } => {
            on(&storage, |connection| webhooks::redeliver(connection, &operator(), id, delivery))
        }
        WebhookCommand::Rotate { id, overlap, storage } => {
            on(&storage, |connection| webhooks::rotate(connection, &operator(), id, overlap))
        }
        WebhookCommand::Remove { id, storage } => {
            on(&storage, |connection| webhooks::remove(connection, &operator(), id))
        }
        WebhookCommand::Events { output } => Ok(webhooks::events(output.json)?),
    }
}

fn add(options: NewWebhookOptions) -> Result<(), CommandError> {
    let NewWebhookOptions { url, krate, team, events, description, storage } = options;
    let wanted = Wanted { url, description, krate, team, events: Some(events) };
    with_url(&storage, |connection, registry| webhooks::add(connection, &operator(), &wanted, registry))
}

/// Runs a command with the URL of the registry, if it is known.
fn with_url(
    storage: &StorageOptions,
    command: impl FnOnce(&mut PgConnection, Option<&str>) -> Result<(), AdminError>,
) -> Result<(), CommandError> {
    // Without an index yet, what is sent names no registry.
    let url = known_address(storage, None).ok().map(|address| address.url);
    on(storage, |connection| command(connection, url.as_deref()))
}
