//! The upstreams of `serve`, from its options.

use std::time::Duration;

use chrono::TimeDelta;

use super::operator_command::read_token;
use super::registry_address::known_address;
use super::schedule::advisories;
use super::storage::StoreRole;
use super::{CommandError, Storage};
use crate::config::{NamedUpstream, ServeOptions, StorageOptions, UpstreamCacheOptions, UpstreamOptions};
use crate::crate_store::CrateStore;
use crate::database::{Pool, upstream_policies};
use crate::upstream::Token;
use crate::upstream_cache::cooldown::Cooldowns;
use crate::web::upstreams::{Places, Times, UpstreamPlan, Upstreams};

/// The other registries that are served through this one.
pub fn start(options: &ServeOptions, storage: &Storage, base_url: &str) -> Result<Upstreams, CommandError> {
    let of = &options.upstream;
    let policies: Vec<_> = of.upstreams.iter().map(|one| (one.name.clone(), of.policy_of(&one.name))).collect();
    upstream_policies::note(&mut storage.connect()?, &policies)?;
    if of.upstreams.is_empty() {
        return Ok(Upstreams::default());
    }
    for NamedUpstream { name, index } in &of.upstreams {
        if format!("{index}/").starts_with(&format!("{base_url}/")) {
            return Err(CommandError::new(format!("--upstream: {name} is this registry itself: name another one")));
        }
    }
    if !options.work.advisories.advisories.is_empty() {
        advisories::declare(&mut storage.connect()?, &options.work.advisories)?;
    }
    let store = storage.upstream_store(&options.crate_store, StoreRole::Stores)?;
    let is_shared = of.shares_index_files(&options.crate_store, &options.storage);
    with_store(of, options.index.allow_insecure_token, (storage, store, is_shared), base_url)
}

/// The same for a command that fills their cache, beside a running `serve` or without it.
pub fn of_a_command(
    options: &UpstreamCacheOptions,
    storage: &Storage,
    store: &CrateStore,
    pool: &Pool,
) -> Result<Upstreams, CommandError> {
    let of = &options.upstream;
    of.check().map_err(CommandError::new)?;
    if of.upstreams.is_empty() {
        return Ok(Upstreams::default());
    }
    let contact = own_url(&options.storage).unwrap_or_else(|| "a registry for cargo".to_owned());
    let is_shared = of.shares_index_files(&options.crate_store, &options.storage);
    let started = with_store(of, options.allow_insecure_token, (storage, store.clone(), is_shared), &contact)?;
    started.follow_rules(pool);
    Ok(started)
}

/// The public URL of this registry, if a `serve` has written it down.
pub fn own_url(options: &StorageOptions) -> Option<String> {
    known_address(options, None).ok().map(|address| address.url)
}

fn with_store(
    of: &UpstreamOptions,
    allow_insecure_token: bool,
    (storage, store, is_shared): (&Storage, CrateStore, bool),
    contact: &str,
) -> Result<Upstreams, CommandError> {
    let mut plans = Vec::new();
    let advisory_actions = of.advisory_actions();
    for NamedUpstream { name, index } in &of.upstreams {
        let file = of.upstream_token_files.iter().rev().find(|one| one.name == *name);
        let token = file.map(|one| read_token("--upstream-token-file", &one.file)).transpose()?;
        let token = token.map(|secret| (secret.clone(), Token::new(secret, allow_insecure_token)));
        plans.push(UpstreamPlan {
            name: name.clone(),
            index: index.clone(),
            token,
            cooldowns: cooldowns(of, name),
            advisory_actions,
        });
    }
    let stale = Some(of.upstream_stale).filter(|_| !of.upstream_offline);
    let times = Times { fresh: of.upstream_fresh, stale, away: of.upstream_away };
    let contact = of.upstream_contact.as_deref().unwrap_or(contact);
    let places = Places {
        index_files: &storage.data_dir.upstream_index(),
        is_shared,
        crate_files: store,
        max_bytes: of.upstream_cache_size,
    };
    let started = Upstreams::start(plans, times, contact, places);
    started.map_err(|error| CommandError::while_doing("--upstream".to_owned(), error))
}

fn cooldowns(of: &UpstreamOptions, upstream: &str) -> Cooldowns {
    let age = |age: Duration| TimeDelta::from_std(age).ok().filter(|age| !age.is_zero());
    let of_crates = of.cooldowns_of_crates(upstream).into_iter();
    Cooldowns {
        of_all: of.cooldown_of(upstream).and_then(age),
        of_patterns: of_crates.map(|(crates, of)| (crates, age(of))).collect(),
        is_strict: of.cooldown_strict,
    }
}
