//! `supercargo upstream mirror`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use crate::config::{MirrorOptions, NamedUpstream};
use crate::package::CrateName;
use crate::package::crate_pattern::CratePattern;
use crate::package::registry_urls::is_crates_io;
use crate::process::CommandError;
use crate::process::gathering::{CRATES_IO_GIT, Cache, Gathering, Pinning, Summary, finish, names_in_git};
use crate::process::operator_command::operator;
use crate::web::upstreams::{Listed, NotObtained};

/// Requests wait for their turn. If that took longer than a request for an index file may, none would succeed.
const LONGEST_TURN: f64 = 2.0;

pub(super) fn mirror(options: &MirrorOptions) -> Result<ExitCode, CommandError> {
    let summary = Cache::with(&options.cache, |cache| {
        cache.check_policies()?;
        let upstream = cache.check_upstream(&options.upstream)?;
        let names = names(options, upstream)?;
        tracing::info!(upstream = upstream.name, crates = names.len(), rate = options.rate, "mirroring");
        cache.upstreams.set_rate(&upstream.name, options.rate);
        let reason = "a mirror".to_owned();
        let pinning = options.pin.then(|| Pinning::new(&cache.pool, operator(), reason));
        let concurrency = usize::from(options.concurrency.concurrency).min(at_once(options.rate));
        let gathering = Gathering { cache, concurrency, pinning: pinning.as_ref(), rehash: false };
        let newest = options.newest.map(|count| count as usize);
        let summary =
            gathering.each(&names, "crates", |name, summary| one(&gathering, (&upstream.name, name), newest, summary));
        if let Some(pinning) = &pinning {
            pinning.record(&[&upstream.name])?;
        }
        cache.warn_of_eviction()?;
        Ok(summary)
    })?;
    finish(&summary, (options.output.json, true))
}

/// The number of crates that are fetched at the same time, so that none waits too long for its turn.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is from 0.1 to 10000")]
fn at_once(rate: f64) -> usize {
    ((rate * LONGEST_TURN) as usize).max(1)
}

/// Brings the versions of a crate into the cache.
fn one(
    gathering: &Gathering<'_>,
    (upstream, name): (&str, &CrateName),
    newest: Option<usize>,
    summary: &mut Summary,
) -> Result<(), NotObtained> {
    let label = format!("{name} of {upstream}");
    let stopped = || gathering.cache.is_stopped();
    let listed = match gathering.cache.upstreams.list(upstream, name, &stopped) {
        Ok(Some(listed)) => listed,
        Ok(None) => return summary.note(&label, NotObtained::Absent(upstream.to_owned())),
        Err(error) => return summary.note(&label, error),
    };
    for Listed { version, refused, .. } in chosen(listed, newest) {
        if stopped() {
            return Err(NotObtained::Stopped);
        }
        match refused {
            Some(why) => {
                summary
                    .note(&format!("{}@{} of {upstream}", version.name, version.version), NotObtained::Refused(why))?;
            }
            None => drop(gathering.file(upstream, &version, summary)?),
        }
    }
    Ok(())
}

/// All versions, or the highest ones that are neither yanked nor refused.
fn chosen(mut listed: Vec<Listed>, newest: Option<usize>) -> Vec<Listed> {
    let Some(count) = newest else { return listed };
    listed.retain(|one| !one.yanked && one.refused.is_none());
    listed.sort_by(|one, other| other.version.version.cmp(&one.version.version));
    listed.truncate(count);
    listed
}

/// The names of the crates, without repetition.
fn names(options: &MirrorOptions, upstream: &NamedUpstream) -> Result<Vec<CrateName>, CommandError> {
    let exact: Option<Vec<CrateName>> = options.crates.iter().map(|pattern| pattern.to_string().parse().ok()).collect();
    let found = match (&options.names, exact) {
        (Some(file), _) => in_file(file)?,
        (None, Some(exact)) if !options.all => exact,
        (None, _) => {
            let is_rust = is_crates_io(&format!("sparse+{}", upstream.index));
            let git_index = options.git_index.as_deref().or(is_rust.then_some(CRATES_IO_GIT));
            let git_index = git_index.ok_or_else(|| {
                CommandError::new(format!(
                    "a sparse index cannot be listed: give the crates of {} with --names FILE, or its git index with --git-index URL",
                    upstream.name
                ))
            })?;
            names_in_git(git_index, &options.cache.storage.git)?
        }
    };
    let is_chosen =
        |name: &CrateName| options.crates.is_empty() || options.crates.iter().any(|pattern| pattern.matches(name));
    let mut seen = BTreeSet::new();
    let names: Vec<_> = found.into_iter().filter(|name| is_chosen(name) && seen.insert(name.canonical())).collect();
    if names.is_empty() {
        let patterns: Vec<String> = options.crates.iter().map(CratePattern::to_string).collect();
        return Err(CommandError::new(format!(
            "no crate is selected: nothing listed matches {:?}",
            patterns.join(", ")
        )));
    }
    Ok(names)
}

fn in_file(file: &Path) -> Result<Vec<CrateName>, CommandError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CommandError::while_doing(format!("--names: cannot read {}", file.display()), error))?;
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let names = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
        let place = || format!("--names: {}:{number}", file.display());
        line.parse().map_err(|error: crate::package::name::NameError| CommandError::while_doing(place(), error))
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Checksum;
    use crate::web::upstreams::Resolved;

    #[test]
    fn the_highest_versions_that_are_delivered_are_chosen() {
        let listed = |version: &str, yanked: bool, refused: Option<&str>| Listed {
            version: Resolved {
                name: "foo".parse().unwrap(),
                version: version.parse().unwrap(),
                checksum: Checksum::of(version.as_bytes()),
            },
            yanked,
            refused: refused.map(str::to_owned),
        };
        let all = vec![
            listed("1.10.0", false, None),
            listed("1.9.0", false, None),
            listed("2.0.0", true, None),
            listed("1.11.0", false, Some("too young")),
            listed("1.2.0", false, None),
        ];
        let versions = |newest: Option<usize>| -> Vec<String> {
            chosen(all.clone(), newest).iter().map(|one| one.version.version.to_string()).collect()
        };
        assert_eq!(versions(Some(2)), ["1.10.0", "1.9.0"]);
        assert_eq!(versions(None).len(), 5);
        assert_eq!((at_once(0.1), at_once(10.0)), (1, 20));
    }
}
