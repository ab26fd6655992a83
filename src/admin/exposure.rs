//! `supercargo upstream exposure` and `supercargo admin crate exposure`.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::PgConnection;

use super::AdminError;
use super::output::{print_json, print_table, say, time};
use crate::config::{CrateOrVersion, ExposureOptions};
use crate::database::catalog::{crates, versions};
use crate::database::download_log::downloads::Subject;
use crate::exposure::dependents::{Dependent, Source};
use crate::exposure::{self, DownloadsByAddress, DownloadsByToken, Exposure, Question};
use crate::package::index_path::index_path;
use crate::upstream_cache::kept_file::KeptFiles;

/// Prints who is exposed to a crate or a version of this registry.
pub fn of_own(
    connection: &mut PgConnection,
    CrateOrVersion { name, version }: &CrateOrVersion,
    options: &ExposureOptions,
) -> Result<(), AdminError> {
    let published_at = match (version, crates::find(connection, name)?) {
        (Some(version), Some(krate)) => versions::find(connection, krate.id, version)?.map(|found| found.created_at),
        _ => None,
    };
    let subject = Subject { upstream: String::new(), name: name.clone(), version: version.clone() };
    show(connection, (subject, Source::Here, published_at), options)
}

/// Prints who is exposed to one of an upstream. `known`: the URL of its index, the base URL of this registry, and the directory with the
/// index files that are kept.
pub fn of_upstream(
    connection: &mut PgConnection,
    about: (&str, &CrateOrVersion),
    known: (Option<&str>, Option<&str>, &Path),
    options: &ExposureOptions,
) -> Result<(), AdminError> {
    let (index, base_url, kept) = known;
    let (upstream, CrateOrVersion { name, version }) = (about.0.to_owned(), about.1.clone());
    let file = KeptFiles::new(kept.join(&upstream)).read(&index_path(&name)).unwrap_or_default();
    let published_at = version.as_ref().and_then(|version| file?.published_at(version));
    let source = Source::upstream(&upstream, index, base_url);
    show(connection, (Subject { upstream, name, version }, source, published_at), options)
}

fn show(
    connection: &mut PgConnection,
    (subject, source, published_at): (Subject, Source, Option<DateTime<Utc>>),
    ExposureOptions { since, output }: &ExposureOptions,
) -> Result<(), AdminError> {
    let since = since.and_then(|since| Utc::now().checked_sub_signed(TimeDelta::from_std(since).ok()?));
    let found = exposure::find(connection, &Question { subject, source, since, published_at })?;
    if output.json {
        return Ok(print_json(&found)?);
    }
    downloads(&found);
    dependents(&found);
    Ok(())
}

fn downloads(found: &Exposure) {
    for note in &found.notes {
        say!("note: {note}");
    }
    let Exposure { by_token, by_address, delivered, refused, .. } = found;
    if by_token.is_empty() && by_address.is_empty() {
        let what = if found.notes.is_empty() { "it was not downloaded" } else { "the log has no download of it" };
        return say!("{what}");
    }
    say!("delivered {delivered} times, refused {refused} times");
    if !by_token.is_empty() {
        say!("");
        print_table(
            ["USER", "TOKEN", "NAME", "VERSION", "DELIVERED", "REFUSED", "FIRST", "LAST", "FROM"],
            by_token.iter().map(|one| {
                let DownloadsByToken {
                    version,
                    user,
                    token_id,
                    token_name,
                    addresses,
                    delivered,
                    refused,
                    first,
                    last,
                } = one;
                [
                    user.clone(),
                    token_id.to_string(),
                    token_name.clone(),
                    version.clone(),
                    delivered.to_string(),
                    refused.to_string(),
                    time(Some(*first)),
                    time(Some(*last)),
                    addresses.join(", "),
                ]
            }),
        );
    }
    if !by_address.is_empty() {
        say!("");
        print_table(
            ["ADDRESS WITHOUT TOKEN", "VERSION", "DELIVERED", "REFUSED", "FIRST", "LAST", "USER AGENT"],
            by_address.iter().map(|one| {
                let DownloadsByAddress { version, address, user_agent, delivered, refused, first, last } = one;
                [
                    address.clone().unwrap_or_else(|| "unknown".to_owned()),
                    version.clone(),
                    delivered.to_string(),
                    refused.to_string(),
                    time(Some(*first)),
                    time(Some(*last)),
                    user_agent.clone().unwrap_or_else(|| "-".to_owned()),
                ]
            }),
        );
    }
}

fn dependents(found: &Exposure) {
    say!("");
    let Some(direct) = &found.dependents else {
        let name = found.upstream.as_deref().unwrap_or_default();
        return say!(
            "which crates depend on it is not known: give the index of the upstream, with --upstream {name}=sparse+URL or in the \
             configuration file, as `serve` has it"
        );
    };
    if direct.is_empty() {
        return say!("no crate's default version depends on it");
    }
    say!("crates whose default version depends on it:");
    table(direct);
    if !found.transitive_dependents.is_empty() {
        say!("");
        say!("crates whose default version depends on these:");
        table(&found.transitive_dependents);
    }
}

fn table(dependents: &[Dependent]) {
    print_table(
        ["CRATE", "VERSION", "DEPENDS ON", "REQUIREMENT", "KIND"],
        dependents.iter().map(|one| {
            let Dependent { krate, version, on, requirement, kind, optional } = one;
            let kind = if *optional { format!("{kind}, optional") } else { kind.clone() };
            [krate.clone(), version.clone(), on.clone(), requirement.clone(), kind]
        }),
    );
}
