//! `supercargo upstream fetch` and `pin`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{FetchOptions, PinOptions};
use crate::database::upstream_pins;
use crate::process::CommandError;
use crate::process::gathering::{Cache, Gathering, Locked, Pinning, Summary, Wanted, finish};
use crate::process::operator_command::operator;

pub(super) fn fetch(options: &FetchOptions) -> Result<ExitCode, CommandError> {
    let summary = Cache::with(&options.cache, |cache| {
        cache.check_policies()?;
        let locked = Locked::read(&options.locks, &cache.named, cache.own_url.as_deref())?;
        let mut left_out = Summary::default();
        for (package, lock) in &locked.own {
            let label = format!("{}@{} of this registry", package.name, package.version);
            left_out.left_out.insert(label, format!("{lock} names it, and it is here already"));
        }
        let why = || "it comes from git, and not from a registry".to_owned();
        left_out.left_out.extend(locked.of_git.iter().map(|package| (package.clone(), why())));
        left_out.missing.extend(locked.unknown.clone());
        let mut wanted = locked.wanted;
        if options.pinned {
            wanted.extend(pinned(cache, &mut left_out)?);
        }
        let reason = options.reason.clone().unwrap_or_else(|| file_names(&options.locks));
        let mut summary = gather(cache, &wanted, options.pin.then_some(reason), options.concurrency.concurrency)?;
        summary.add(left_out);
        Ok(summary)
    })?;
    finish(&summary, (options.output.json, false))
}

pub(super) fn pin(options: &PinOptions) -> Result<ExitCode, CommandError> {
    let summary = Cache::with(&options.cache, |cache| {
        cache.check_policies()?;
        cache.check_upstream(&options.upstream)?;
        let wanted = options.versions.iter().filter_map(|about| {
            let (upstream, name) = (options.upstream.clone(), about.name.clone());
            // A pin without a version was refused.
            Some(Wanted { upstream, name, version: about.version.clone()?, checksum: None })
        });
        let (wanted, reason) = (wanted.collect::<Vec<_>>(), options.reason.clone());
        gather(cache, &wanted, Some(reason), options.concurrency.concurrency)
    })?;
    finish(&summary, (options.output.json, false))
}

fn gather(cache: &Cache, wanted: &[Wanted], reason: Option<String>, concurrency: u8) -> Result<Summary, CommandError> {
    let pinning = reason.map(|reason| Pinning::new(&cache.pool, operator(), reason));
    let gathering = Gathering { cache, concurrency: usize::from(concurrency), pinning: pinning.as_ref(), rehash: true };
    let summary = gathering.run(wanted);
    if let Some(pinning) = &pinning {
        let mut upstreams: Vec<&str> = wanted.iter().map(|one| &*one.upstream).collect();
        upstreams.sort_unstable();
        upstreams.dedup();
        pinning.record(&upstreams)?;
    }
    cache.warn_of_eviction()?;
    Ok(summary)
}

/// The pins, without those of upstreams that there are no longer.
fn pinned(cache: &Cache, left_out: &mut Summary) -> Result<Vec<Wanted>, CommandError> {
    let pins = cache.pool.with(|connection| upstream_pins::list(connection, None))??;
    let (here, gone): (Vec<_>, Vec<_>) =
        pins.into_iter().map(Wanted::from).partition(|pin| cache.check_upstream(&pin.upstream).is_ok());
    let why = || "there is no such upstream any longer: add it with --upstream, or remove the pin".to_owned();
    left_out.missing.extend(gone.iter().map(|pin| (pin.label(), why())));
    Ok(here)
}

/// The names of lock files, as the reason of a pin.
fn file_names(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    names.join(", ").chars().take(500).collect()
}
