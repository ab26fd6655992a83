//! The cache of upstreams, opened by a command beside a running `serve` or without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{NamedUpstream, UpstreamCacheOptions};
use crate::crate_store::CrateStore;
use crate::database::{Pool, upstream_policies};
use crate::process::data_dir::permissions::refuse_root_in_a_directory_of_others;
use crate::process::operator_command::stop_on_signal;
use crate::process::signals::Signals;
use crate::process::storage::StoreRole;
use crate::process::upstreams::{of_a_command, own_url};
use crate::process::{CommandError, Storage};
use crate::upstream_cache::eviction;
use crate::web::upstreams::Upstreams;

/// What a command works with.
pub struct Cache {
    pub storage: Storage,
    pub pool: Pool,
    /// Of the crate files of upstreams.
    pub store: CrateStore,
    pub upstreams: Upstreams,
    /// As the operator gave them.
    pub named: Vec<NamedUpstream>,
    /// The public URL of this registry, if it is known.
    pub own_url: Option<String>,
    /// By what this command judges versions of each upstream.
    policies: Vec<(String, String)>,
    max_bytes: u64,
    stopped: Arc<AtomicBool>,
}

impl Cache {
    /// Opens it, runs a command, and closes it. A signal stops the command after what it is doing.
    pub fn with<T>(
        options: &UpstreamCacheOptions,
        command: impl FnOnce(&Self) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        refuse_root_in_a_directory_of_others(&options.storage)?;
        let signals = Signals::block()?;
        let storage = Storage::attach_or_start(&options.storage)?;
        let stopped = stop_on_signal(signals)?;
        let opened = || -> Result<_, CommandError> {
            let pool = storage.pool(&options.storage);
            let store = storage.upstream_store(&options.crate_store, StoreRole::Reads)?;
            let upstreams = of_a_command(options, &storage, &store, &pool)?;
            Ok((pool, store, upstreams))
        };
        match opened() {
            Err(error) => storage.close().and(Err(error)),
            Ok((pool, store, upstreams)) => {
                let named = options.upstream.upstreams.clone();
                let own_url = own_url(&options.storage);
                let policy = |one: &NamedUpstream| (one.name.clone(), options.upstream.policy_of(&one.name));
                let policies = named.iter().map(policy).collect();
                let max_bytes = options.upstream.upstream_cache_size;
                let cache = Self { storage, pool, store, upstreams, named, own_url, policies, max_bytes, stopped };
                let done = command(&cache);
                cache.upstreams.end();
                cache.pool.close();
                let closed = cache.storage.close();
                done.and_then(|done| closed.map(|()| done))
            }
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Refuses to judge versions by other options than `serve`: what is kept, it delivers however young it is.
    pub fn check_policies(&self) -> Result<(), CommandError> {
        for (upstream, of_serve) in self.pool.with(upstream_policies::list)?? {
            let Some((_, own)) = self.policies.iter().find(|(name, own)| *name == upstream && *own != of_serve) else {
                continue;
            };
            return Err(CommandError::new(format!(
                "`serve` judges versions of {upstream} by {of_serve}, and this command by {own}: give it the same options, best in the \
                 configuration file of both, or start `serve` with the new ones first"
            )));
        }
        Ok(())
    }

    /// Refuses the name of an upstream that there is not.
    pub fn check_upstream(&self, name: &str) -> Result<&NamedUpstream, CommandError> {
        self.named.iter().find(|one| one.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.named.iter().map(|one| &*one.name).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            CommandError::new(format!(
                "there is no upstream {name:?} ({there} is set): set those of `serve` with --upstream, its variable or the configuration file"
            ))
        })
    }

    /// A warning if `serve` will remove some of what is kept.
    pub fn warn_of_eviction(&self) -> Result<(), CommandError> {
        let kept = eviction::sizes(&self.store, &self.pool)?;
        let unpinned = kept.left.saturating_sub(kept.pinned);
        if kept.left > self.max_bytes && unpinned > 0 {
            tracing::warn!(
                bytes = kept.left,
                pinned = kept.pinned,
                limit = self.max_bytes,
                "the kept crate files are larger than --upstream-cache-size: `serve` removes those not used for longest. Raise it, or pin \
                 what has to stay"
            );
        }
        Ok(())
    }
}
