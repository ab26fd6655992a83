//! `supercargo bundle import`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use serde_json::json;

use crate::admin::output::{print_json, say};
use crate::bundle::{Bundle, BundledCrate, BundledSource, BundledVersion, OWN_REGISTRY, Source};
use crate::config::BundleImportOptions;
use crate::database::access::audit::{Action, Event};
use crate::package::Checksum;
use crate::package::registry_urls::CRATES_IO_INDEX;
use crate::process::CommandError;
use crate::process::gathering::{Cache, Pinning, Summary, upstream_of};
use crate::process::operator_command::operator;
use crate::upstream_cache::kept_file::KeptFile;
use crate::upstream_cache::merging::{Contradiction, merged};
use crate::web::upstreams::{Obtained, Resolved};

/// The exit code after an interruption.
const INTERRUPTED: u8 = 130;

/// A crate of the bundle, and its index file with the bundle's lines; None if the kept one has them.
struct Plan<'a> {
    upstream: &'a str,
    krate: &'a BundledCrate,
    file: Option<KeptFile>,
    /// Versions that this registry does not pass on, with the reason.
    refused: BTreeMap<String, String>,
}

pub(super) fn import(options: &BundleImportOptions) -> Result<ExitCode, CommandError> {
    let summary = Cache::with(&options.cache, |cache| {
        cache.check_policies()?;
        let bundle = Bundle::read(&options.directory)?;
        let mut summary = Summary::default();
        let targets = targets(options, cache, &bundle, &mut summary)?;
        let plans = plans(cache, &bundle, &targets)?;
        let reason = options.reason.clone().unwrap_or_else(|| format!("the bundle {}", name_of(&options.directory)));
        let pinning = options.pin.then(|| Pinning::new(&cache.pool, operator(), reason));
        let changes = plans.iter().any(|plan| plan.file.is_some());
        let done = carry_out(cache, &plans, pinning.as_ref(), &mut summary);
        record(options, cache, &targets, (&summary, pinning.as_ref(), changes))?;
        done?;
        cache.warn_of_eviction()?;
        Ok(summary)
    })?;
    if options.output.json {
        print_json(&summary)?;
    } else {
        let Summary { kept, fetched, bytes, pinned, .. } = &summary;
        let kib = bytes.div_ceil(1024);
        say!(
            "{} versions are in the cache: {kept} were there, {fetched} were taken in ({kib} KiB), {pinned} were pinned",
            kept + fetched
        );
        summary.left_out.iter().for_each(|(label, why)| say!("left out: {label}: {why}"));
        summary.refused.iter().for_each(|(label, why)| say!("refused: {label}: {why}"));
    }
    if summary.interrupted {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    Ok(if summary.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn name_of(directory: &Path) -> String {
    directory.file_name().unwrap_or(directory.as_os_str()).to_string_lossy().into_owned()
}

/// The upstreams that take the sources of a bundle, in their order; None for a source that is left out.
fn targets(
    options: &BundleImportOptions,
    cache: &Cache,
    bundle: &Bundle,
    summary: &mut Summary,
) -> Result<Vec<Option<String>>, CommandError> {
    if let Some(name) = &options.upstream_name {
        let [_] = &bundle.sources[..] else {
            let count = bundle.sources.len();
            return Err(CommandError::new(format!(
                "--as: the bundle has {count} sources, and --as is for a bundle with one"
            )));
        };
        return Ok(vec![Some(cache.check_upstream(name)?.name.clone())]);
    }
    let mut targets = Vec::new();
    for BundledSource { source, .. } in &bundle.sources {
        let replaced = source.replaces.as_deref().unwrap_or(CRATES_IO_INDEX);
        let found = upstream_of(replaced, &cache.named).or_else(|| upstream_of(&source.index, &cache.named));
        match found {
            Some(found) => targets.push(Some(found)),
            None if source.name == OWN_REGISTRY => {
                summary.left_out.insert(label(source), left_out(source));
                targets.push(None);
            }
            None => return Err(CommandError::new(no_target(source))),
        }
    }
    Ok(targets)
}

fn label(source: &Source) -> String {
    format!("{} versions of {}", source.versions, source.index)
}

fn left_out(source: &Source) -> String {
    format!(
        "they are private crates of the registry that wrote the bundle. Import it as an upstream, with --upstream NAME={}, or make the \
         crates those of this registry with `supercargo admin import`",
        source.index
    )
}

fn no_target(source: &Source) -> String {
    let Source { name, index, .. } = source;
    format!(
        "the bundle has crates of {name} ({index}), and no upstream here has this index: add it with --upstream {name}={index}, or name \
         another one with --as"
    )
}

/// What is to be done. Refuses the whole bundle if it contradicts what is kept.
fn plans<'a>(cache: &Cache, bundle: &'a Bundle, targets: &'a [Option<String>]) -> Result<Vec<Plan<'a>>, CommandError> {
    let (mut plans, mut problems) = (Vec::new(), Vec::new());
    for (source, upstream) in bundle.sources.iter().zip(targets) {
        let Some(upstream) = upstream else { continue };
        for krate in &source.crates {
            let former = cache.upstreams.kept_index_file(upstream, &krate.path)?;
            match merged(former.as_ref(), &krate.content, bundle.description.created_at) {
                Ok(file) => {
                    let refused = refused(cache, (upstream, krate), file.as_ref().or(former.as_ref()))?;
                    plans.push(Plan { upstream, krate, file, refused });
                }
                Err(found) => problems.extend(found.iter().map(|one| contradiction(one, krate, upstream))),
            }
        }
    }
    if problems.is_empty() {
        return Ok(plans);
    }
    Err(CommandError::new(format!(
        "the bundle contradicts what is kept, and nothing was changed. A version never changes: find out which one is right\n{}",
        problems.join("\n")
    )))
}

/// The versions of a crate that this registry does not pass on. Taken in, they would be delivered as files that are kept.
fn refused(
    cache: &Cache,
    (upstream, krate): (&str, &BundledCrate),
    file: Option<&KeptFile>,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut refused = BTreeMap::new();
    let Some(file) = file else { return Ok(refused) };
    for BundledVersion { name, version, .. } in &krate.versions {
        if file.known.vanished.contains_key(&version.to_string()) {
            let why =
                format!("{upstream} has removed it: see `supercargo upstream exposure {upstream} {name}@{version}`");
            refused.insert(version.to_string(), why);
            continue;
        }
        let why = cache.upstreams.refusal_of(upstream, (file, name, version));
        let why = why.map_err(|error| CommandError::while_doing(format!("{name}@{version} of {upstream}"), error))?;
        refused.extend(why.map(|why| (version.to_string(), why)));
    }
    Ok(refused)
}

fn contradiction(found: &Contradiction, krate: &BundledCrate, upstream: &str) -> String {
    let Contradiction { version, kept, other } = found;
    let name = krate.versions.first().map(|version| version.name.to_string()).unwrap_or_default();
    format!("{name}@{version} of {upstream} is kept with the SHA-256 {kept}, and the bundle has {other}")
}

/// Takes the crates in, one after the other: a version is in an index file when its crate file is there.
fn carry_out(
    cache: &Cache,
    plans: &[Plan<'_>],
    pinning: Option<&Pinning<'_>>,
    summary: &mut Summary,
) -> Result<(), CommandError> {
    for (place, Plan { upstream, krate, file, refused }) in plans.iter().enumerate() {
        if cache.is_stopped() {
            (summary.interrupted, summary.left) = (true, plans.len() - place);
            return Ok(());
        }
        for version in &krate.versions {
            let (name, num, checksum) = (version.name.clone(), version.version.clone(), version.checksum);
            if let Some(why) = refused.get(&num.to_string()) {
                summary.refused.insert(format!("{name}@{num} of {upstream}"), why.clone());
                continue;
            }
            if let Some(pinning) = pinning {
                let resolved = Resolved { name, version: num, checksum };
                summary.pinned += u64::from(pinning.pin(upstream, &resolved)?);
            }
            summary.obtained(take_in(cache, checksum, &version.file)?);
        }
        if let Some(file) = file {
            cache.upstreams.keep_index_file(upstream, &krate.path, file.clone())?;
        }
    }
    Ok(())
}

/// Stores a crate file, unless it is kept and whole.
fn take_in(cache: &Cache, checksum: Checksum, file: &Path) -> Result<Obtained, CommandError> {
    if let Some((_, size)) = cache.store.digest(checksum)?.filter(|(found, _)| *found == checksum) {
        return Ok(Obtained { size, is_new: false });
    }
    let at = || format!("cannot read {}", file.display());
    let content = Bytes::from(std::fs::read(file).map_err(|error| CommandError::while_doing(at(), error))?);
    if Checksum::of(&content) != checksum {
        // It was right when the bundle was checked.
        return Err(CommandError::new(format!("{} has changed meanwhile: copy the bundle again", file.display())));
    }
    let size = content.len() as u64;
    cache.store.check_free_space(size)?;
    cache.store.put(checksum, content)?;
    Ok(Obtained { size, is_new: true })
}

/// Writes what was done into the audit log.
fn record(
    options: &BundleImportOptions,
    cache: &Cache,
    targets: &[Option<String>],
    (summary, pinning, changes): (&Summary, Option<&Pinning<'_>>, bool),
) -> Result<(), CommandError> {
    let upstreams: BTreeSet<&str> = targets.iter().flatten().map(String::as_str).collect();
    let upstreams: Vec<&str> = upstreams.into_iter().collect();
    if let Some(pinning) = pinning {
        pinning.record(&upstreams)?;
    }
    if summary.fetched > 0 || changes {
        let detail = json!({ "bundle": name_of(&options.directory), "versions": summary.fetched });
        let about = upstreams.join(", ");
        let event = Event::new(Action::UpstreamImport).about(&about).detail(detail);
        cache.pool.with(|connection| event.record(connection, &operator()))??;
    }
    Ok(())
}
