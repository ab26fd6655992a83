//! The upstreams of `serve`, from its options.

use std::time::Duration;

use chrono::TimeDelta;

use super::operator_command::read_token;
use super::schedule::advisories;
use super::{CommandError, Storage};
use crate::config::{NamedUpstream, ServeOptions, UpstreamOptions};
use crate::upstream::Token;
use crate::upstream_cache::cooldown::Cooldowns;
use crate::web::upstreams::{UpstreamPlan, Upstreams};

/// The other registries that are served through this one.
pub fn start(options: &ServeOptions, storage: &Storage, base_url: &str) -> Result<Upstreams, CommandError> {
    let of = &options.upstream;
    if of.upstreams.is_empty() {
        return Ok(Upstreams::default());
    }
    let mut plans = Vec::new();
    let advisory_actions = of.advisory_actions();
    for NamedUpstream { name, index } in &of.upstreams {
        if format!("{index}/").starts_with(&format!("{base_url}/")) {
            return Err(CommandError::new(format!("--upstream: {name} is this registry itself: name another one")));
        }
        let file = of.upstream_token_files.iter().rev().find(|one| one.name == *name);
        let token = file.map(|one| read_token("--upstream-token-file", &one.file)).transpose()?;
        let token = token.map(|secret| (secret.clone(), Token::new(secret, options.index.allow_insecure_token)));
        plans.push(UpstreamPlan {
            name: name.clone(),
            index: index.clone(),
            token,
            cooldowns: cooldowns(of, name),
            advisory_actions,
        });
    }
    if !options.work.advisories.advisories.is_empty() {
        advisories::declare(&mut storage.connect()?, &options.work.advisories)?;
    }
    let store = storage.upstream_store(&options.crate_store)?;
    let stale = Some(of.upstream_stale).filter(|_| !of.upstream_offline);
    let contact = of.upstream_contact.as_deref().unwrap_or(base_url);
    let place = (&*storage.data_dir.upstream_index(), store, of.upstream_cache_size);
    let started = Upstreams::start(plans, (of.upstream_fresh, stale), contact, place);
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
