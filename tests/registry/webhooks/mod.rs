//! Webhooks.

mod api;
mod api_refusals;
mod api_rights;
mod commands;
mod deliveries;
mod pages;
mod recipients;

use diesel::RunQueryDsl;
use supercargo::database::access::audit::{Action, Actor, Event};
use supercargo::database::webhooks::endpoints;
use supercargo::jobs::webhooks::configure::{self, Wanted};
use supercargo::jobs::webhooks::relay;
use supercargo::jobs::webhooks::rights::Who;
use supercargo::webhook::Secret;

use crate::support::harness::TestRegistry;
use crate::support::webhook_receiver::WebhookReceiver;

pub fn operator() -> Actor {
    Actor::operator("ops@host".to_owned())
}

/// A webhook that receives events of what `wanted` says, at a receiver; its number and its secret. The test that it gets is delivered.
pub fn hook(registry: &TestRegistry, receiver: &WebhookReceiver, wanted: Wanted) -> (i32, Secret) {
    let wanted = Wanted { url: receiver.url.clone(), ..wanted };
    let operator = operator();
    let added = registry.pool.with(|connection| configure::add(connection, &wanted, None, Who::Operator(&operator)));
    let (webhook, secret) = added.unwrap().unwrap();
    registry.run_jobs();
    assert_eq!(receiver.kinds(), ["webhook.test"]);
    (webhook.id, secret)
}

pub fn of_everything(registry: &TestRegistry, receiver: &WebhookReceiver) -> (i32, Secret) {
    hook(registry, receiver, Wanted::default())
}

/// Passes on what has settled; returns how many events some webhook receives events of.
pub fn relay(registry: &TestRegistry) -> usize {
    let url = Some("https://crates.example");
    registry.pool.with(|connection| relay::run(connection, url, &|| false).unwrap()).unwrap()
}

/// Passes on and delivers.
pub fn deliver(registry: &TestRegistry) {
    relay(registry);
    registry.run_jobs();
}

pub fn execute(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

pub fn as_operator<T>(registry: &TestRegistry, change: impl FnOnce(&mut diesel::PgConnection, Who<'_>) -> T) -> T {
    let operator = operator();
    registry.pool.with(|connection| change(connection, Who::Operator(&operator))).unwrap()
}

/// Something that no job makes true.
pub fn create_token(registry: &TestRegistry, name: &str) {
    let record = |connection: &mut diesel::PgConnection| {
        Event::new(Action::TokenCreate).about(name).record(connection, &operator()).unwrap();
    };
    registry.pool.with(record).unwrap();
}

/// Whether deliveries are paused, and why.
pub fn pause(registry: &TestRegistry, id: i32) -> Option<String> {
    let webhook = registry.pool.with(|connection| endpoints::find(connection, id).unwrap().unwrap()).unwrap();
    webhook.pause.map(|pause| pause.reason.unwrap_or_default())
}
