//! `supercargo bundle create`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::admin::output::{complain, print_json, say};
use crate::bundle::{Description, OWN_REGISTRY, Part, Writer};
use crate::config::BundleCreateOptions;
use crate::crate_store::CrateStore;
use crate::package::index_path::index_path;
use crate::package::lock_file::LockedPackage;
use crate::package::lock_origin::Origin;
use crate::package::registry_urls::is_crates_io;
use crate::package::{Checksum, CrateName, Version};
use crate::process::gathering::{Cache, Gathering, Locked, Summary, finish};
use crate::process::storage::StoreRole;
use crate::process::{CommandError, hardening};
use crate::upstream_cache::lines::lines;
use crate::web::upstreams::Resolved;

/// A version in a bundle: its line, and the checksum of its file.
struct Entry {
    name: CrateName,
    version: Version,
    line: Bytes,
    checksum: Checksum,
}

/// The versions of each origin, in the order of their names.
type Entries = BTreeMap<Origin, Vec<Entry>>;

pub(super) fn create(options: &BundleCreateOptions) -> Result<ExitCode, CommandError> {
    let (summary, written) = Cache::with(&options.cache, |cache| {
        cache.check_policies()?;
        let writer = Writer::begin(&options.directory, hardening::usual_mode())?;
        let locked = Locked::read(&options.locks, &cache.named, cache.own_url.as_deref())?;
        let (entries, summary) = collect(options, cache, &locked)?;
        if !summary.is_complete(false) {
            return Ok((summary, None));
        }
        if entries.is_empty() {
            return Err(CommandError::new(
                "--lock: the lock files name no crate of a registry, so the bundle would be empty",
            ));
        }
        let own_files = cache.storage.crate_store(&options.cache.crate_store, StoreRole::Reads)?;
        let described = write(writer, cache, &own_files, (entries, &locked.indexes))?;
        Ok((summary, Some(described)))
    })?;
    match written {
        None => {
            let code = finish(&summary, (options.output.json, false));
            complain!("the bundle was not written");
            code
        }
        Some(description) if options.output.json => {
            print_json(&description)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(description) => {
            say!("{}", said(&description, options, &summary));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn said(description: &Description, options: &BundleCreateOptions, summary: &Summary) -> String {
    let place = options.directory.display();
    let mut text = format!("wrote the bundle {place}, whose README says how cargo builds from it:");
    for source in &description.sources {
        text.push_str(&format!(
            "\n  {}: {} versions of {} crates, {} KiB",
            source.name,
            source.versions,
            source.crates,
            source.bytes.div_ceil(1024)
        ));
    }
    for (label, why) in &summary.left_out {
        text.push_str(&format!("\nleft out: {label}: {why}"));
    }
    text
}

/// Brings all versions into the cache, and looks up their lines.
fn collect(options: &BundleCreateOptions, cache: &Cache, locked: &Locked) -> Result<(Entries, Summary), CommandError> {
    let concurrency = usize::from(options.concurrency.concurrency);
    let gathering = Gathering { cache, concurrency, pinning: None, rehash: true };
    let entries = Mutex::new(Entries::new());
    let mut summary = gathering.each(&locked.wanted, "versions", |one, summary| {
        let Some(resolved) = gathering.one(one, summary)? else { return Ok(()) };
        let line = cache.upstreams.line(&one.upstream, &resolved, &|| cache.is_stopped())?;
        let Resolved { name, version, checksum } = resolved;
        let origin = Origin::Upstream(one.upstream.clone());
        entries.lock().entry(origin).or_default().push(Entry { name, version, line, checksum });
        Ok(())
    });
    let mut entries = entries.into_inner();
    for (package, lock) in &locked.own {
        match own(options, cache, package)? {
            Ok(entry) => entries.entry(Origin::Own).or_default().push(entry),
            Err(why) => {
                let label = format!("{}@{} of this registry", package.name, package.version);
                summary.missing.insert(label, format!("{lock} names it, and {why}"));
            }
        }
    }
    for of_one in entries.values_mut() {
        of_one.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        // Several lock files may name a version, with and without its checksum.
        of_one.dedup_by(|one, other| (&one.name, &one.version) == (&other.name, &other.version));
    }
    summary.missing.extend(locked.unknown.clone());
    let why = || "it comes from git, and not from a registry".to_owned();
    summary.left_out.extend(locked.of_git.iter().map(|package| (package.clone(), why())));
    Ok((entries, summary))
}

/// A version of this registry itself, or why there is none.
fn own(
    options: &BundleCreateOptions,
    cache: &Cache,
    package: &LockedPackage,
) -> Result<Result<Entry, String>, CommandError> {
    let index = cache.storage.index(&options.cache.storage)?;
    let file = index.read(&index.head()?, &index_path(&package.name))?;
    let version = package.version.to_string();
    let found = file.as_ref().and_then(|file| {
        let mut found = lines(&file.content).filter_map(|(text, line)| Some((text, line?)));
        found.find(|(_, line)| line.vers == version)
    });
    let Some((text, line)) = found else { return Ok(Err("it is not in the index".to_owned())) };
    let checksum: Checksum = line.cksum.parse()?;
    if let Some(locked) = package.checksum.filter(|locked| *locked != checksum) {
        return Ok(Err(format!("says that its SHA-256 is {locked}, and the index says {checksum}")));
    }
    let (name, line) = (line.name.parse()?, Bytes::copy_from_slice(text));
    Ok(Ok(Entry { name, version: package.version.clone(), line, checksum }))
}

fn write(
    mut writer: Writer,
    cache: &Cache,
    own_files: &CrateStore,
    (entries, indexes): (Entries, &BTreeMap<Origin, String>),
) -> Result<Description, CommandError> {
    let (mut parts, is_only) = (Vec::new(), entries.len() == 1);
    for (origin, entries) in entries {
        let (name, index, store) = match &origin {
            Origin::Upstream(name) => (name.as_str(), cache.check_upstream(name)?.index.clone(), &cache.store),
            Origin::Own | Origin::Unknown => (OWN_REGISTRY, own_index(cache), own_files),
        };
        let replaces = indexes.get(&origin).filter(|index| !is_crates_io(index)).cloned();
        let directory = if is_only { "." } else { name };
        let mut part = Part::new(name, directory, &format!("sparse+{index}"), replaces);
        for Entry { name, version, line, checksum } in entries {
            if cache.is_stopped() {
                return Err(CommandError::new("interrupted: the bundle was not written"));
            }
            let content = store.read(checksum)?.filter(|content| Checksum::of(content) == checksum);
            let content = content.ok_or_else(|| {
                CommandError::new(format!(
                    "the crate file of {name}@{version} is missing or damaged: see `supercargo verify`"
                ))
            })?;
            writer.add(&mut part, (&name, &version), line, &content)?;
        }
        parts.push(part);
    }
    Ok(writer.finish(parts)?)
}

fn own_index(cache: &Cache) -> String {
    format!("{}/index/", cache.own_url.as_deref().unwrap_or_default())
}
