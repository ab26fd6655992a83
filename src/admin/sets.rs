//! `supercargo set`.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::PgConnection;

use super::AdminError;
use super::output::{print_json, print_table, say, time};
use crate::crate_store::CrateStore;
use crate::database::access::audit::Actor;
use crate::database::catalog::dependents;
use crate::database::staging::sets::{self, Filter, ReleaseSet, SetState};
use crate::database::staging::view::ReleaseSetView;
use crate::database::staging::{SetName, staged};
use crate::jobs::staging::approve::{self, Approval, Approver, Decision};
use crate::jobs::staging::change;
use crate::jobs::staging::create::{self, Update, Wanted};
use crate::jobs::staging::end;
use crate::jobs::staging::examine::{self, Rules};
use crate::jobs::{self, staging};
use crate::package::{CrateName, RegistryUrls, Version};
use crate::queue::{self, Completions};
use crate::source::comparison::{Comparison, FieldChange, How, Stated};
use crate::source::{PackageId, SourceCache};

/// The most dependents that are named.
const NAMED: i64 = 10;

/// Parses the name of a set.
pub fn set_name(text: &str) -> Result<SetName, AdminError> {
    Ok(text.parse()?)
}

fn find(connection: &mut PgConnection, name: &str) -> Result<ReleaseSet, AdminError> {
    Ok(staging::find(connection, &set_name(name)?)?)
}

pub fn create(
    connection: &mut PgConnection,
    operator: &Actor,
    wanted: &Wanted<'_>,
    (base_url, as_json): (&str, bool),
) -> Result<(), AdminError> {
    let set = create::request(connection, wanted, operator)?;
    let view = ReleaseSetView::read(connection, set, base_url)?;
    if as_json {
        return Ok(print_json(&view)?);
    }
    say!(
        "the release set {} is open until {}. Publish into it with this index:\n{}",
        view.name,
        time(Some(view.expires_at)),
        view.index
    );
    if !view.preview {
        say!(
            "cargo reads it with a token, and needs a credential provider for that: `cargo:token` in `[registry] global-credential-providers`"
        );
    }
    Ok(())
}

pub fn list(
    connection: &mut PgConnection,
    all: bool,
    limit: i64,
    (base_url, as_json): (&str, bool),
) -> Result<(), AdminError> {
    let filter = Filter { state: (!all).then_some(SetState::Open), ..Filter::default() };
    let found = sets::list(connection, &filter, limit)?;
    let views: Vec<ReleaseSetView> =
        found.into_iter().map(|set| ReleaseSetView::read(connection, set, base_url)).collect::<Result<_, _>>()?;
    if as_json {
        return Ok(print_json(&views)?);
    }
    print_table(
        ["NAME", "STATE", "VERSIONS", "CHANGES", "CREATED", "BY", "ENDS OR ENDED", "TITLE"],
        views.into_iter().map(|view| {
            [
                view.name,
                view.state,
                view.versions.len().to_string(),
                view.changes.len().to_string(),
                time(Some(view.created_at)),
                view.created_by.unwrap_or_else(|| "an operator".to_owned()),
                time(view.ended_at.or(Some(view.expires_at))),
                view.title.unwrap_or_default(),
            ]
        }),
    );
    Ok(())
}

pub fn show(connection: &mut PgConnection, name: &str, (base_url, as_json): (&str, bool)) -> Result<(), AdminError> {
    let set = find(connection, name)?;
    let view = ReleaseSetView::read(connection, set, base_url)?;
    if as_json {
        return Ok(print_json(&view)?);
    }
    let visible = match (view.preview, &view.created_by) {
        (true, _) => "to everyone who may read the registry",
        (false, None) => "to every user",
        (false, Some(_)) => "to its members",
    };
    let is_open = view.state == "open";
    let lines = [
        ("set", Some(view.name)),
        ("title", view.title),
        ("state", Some(view.state)),
        ("visible", is_open.then(|| visible.to_owned())),
        ("index", Some(view.index)),
        ("page", Some(view.page)),
        ("revision", Some(view.revision.to_string())),
        ("created", Some(time(Some(view.created_at)))),
        ("by", Some(view.created_by.unwrap_or_else(|| "an operator".to_owned()))),
        ("ends", is_open.then(|| time(Some(view.expires_at)))),
        ("ended", view.ended_at.map(|at| time(Some(at)))),
        ("ended by", view.ended_by),
        ("approved", (!view.approved_by.is_empty()).then(|| view.approved_by.join(", "))),
        ("earlier", (!view.formerly_approved_by.is_empty()).then(|| view.formerly_approved_by.join(", "))),
        ("override", view.override_reason),
        ("reason", view.reason),
    ];
    for (label, text) in lines {
        if let Some(text) = text {
            say!("{label:<10}{text}");
        }
    }
    for missing in &view.missing {
        say!("{:<10}{missing}", "missing");
    }
    say!("");
    print_table(
        ["CRATE", "VERSION", "CHANGE", "BYTES", "STAGED BY", "STAGED"],
        view.versions
            .into_iter()
            .map(|one| {
                [one.krate, one.version, "publish".to_owned(), one.size.to_string(), one.staged_by, time(one.staged_at)]
            })
            .chain(view.changes.into_iter().map(|one| {
                let by = one.staged_by.unwrap_or_else(|| "-".to_owned());
                [one.krate, one.version, one.change, "-".to_owned(), by, time(one.staged_at)]
            })),
    );
    Ok(())
}

pub fn approve(
    connection: &mut PgConnection,
    operator: &Actor,
    (name, revision, override_reason): (&str, Option<i64>, Option<&str>),
    (store, rules): (&CrateStore, Rules<'_>),
) -> Result<(), AdminError> {
    let set = find(connection, name)?;
    let examined = examine::examine(connection, set, store, rules, Utc::now())?;
    let approval = Approval { examined: &examined, revision, override_reason };
    let is_stored = |checksum| store.contains(checksum);
    let approver = Approver::Operator(operator);
    let decision = approve::request(connection, &approval, &approver, &is_stored, &Completions::default())?;
    queue::announce(connection, jobs::QUEUE)?;
    let (versions, changes) = match decision {
        Decision::Published(approved) => (approved.versions, approved.changes),
        Decision::Waits(missing) => {
            let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(AdminError::OthersApprove { name: name.to_owned(), missing });
        }
    };
    say!(
        "approved the release set {name}, in one move of the index: versions published: {versions}, other changes made: {changes}"
    );
    Ok(())
}

/// Prints what each staged version changes.
pub fn diff(
    connection: &mut PgConnection,
    name: &str,
    (cache, urls): (&SourceCache, &RegistryUrls),
) -> Result<(), AdminError> {
    let set = find(connection, name)?;
    if staged::count(connection, set.id)? == 0 {
        match set.state(Utc::now()) {
            SetState::Open => say!("nothing is staged in the release set {name} yet"),
            state => say!(
                "the release set {name} was {state}: nothing is left to compare, and `supercargo set show {name}` lists what it had"
            ),
        }
    }
    for staged in staged::of_set(connection, set.id)? {
        let previous = staged::previous(connection, &staged.name, &staged.num)?;
        let (first, total) = dependents::dependent_crates(connection, &staged.name, NAMED)?;
        let depending = first.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let before =
            previous.as_ref().map_or_else(|| "a new crate".to_owned(), |before| format!("after {}", before.num));
        say!("{} {} ({before}), {} bytes, staged by {}", staged.name, staged.num, staged.size, staged.login);
        if total > 0 {
            say!("    crates that depend on it: {total} ({depending}{})", if total > NAMED { ", …" } else { "" });
        }
        let id = |num, checksum| PackageId::new(&staged.name, num, checksum);
        // All of a new crate is added.
        let before = previous.as_ref().map_or_else(PackageId::nothing, |previous| id(&previous.num, previous.checksum));
        let compared = cache
            .package(&before)
            .and_then(|one| Ok((one, cache.package(&id(&staged.num, staged.checksum))?)))
            .and_then(|(one, other)| Comparison::new(&one, &other, urls));
        match compared {
            Ok(comparison) => compared_lines(&comparison).iter().for_each(|line| say!("    {line}")),
            Err(error) => say!("    its files cannot be compared: {error}"),
        }
    }
    for change in staged::changes_of(connection, set.id)? {
        say!("{} {}: {}, staged by {}", change.name, change.num, change.change, change.login);
    }
    Ok(())
}

/// A line for each thing that a reviewer asks first, and for each file.
fn compared_lines(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    let summary = &comparison.summary;
    match &summary.manifest {
        Err(problem) => lines.push(format!("the manifests cannot be compared: {problem}")),
        Ok(manifest) => {
            let stated = |one: &Stated| {
                format!("{} {} {} {}", one.kind, one.key, one.requirement, one.registry.as_deref().unwrap_or(""))
            };
            lines.extend(manifest.added.iter().map(|one| format!("+ dependency {}", stated(one).trim_end())));
            lines.extend(manifest.removed.iter().map(|one| format!("- dependency {}", stated(one).trim_end())));
            for changed in &manifest.changed {
                lines.extend(
                    changed
                        .changes
                        .iter()
                        .map(|change| field(&format!("dependency {}", changed.dependency.key), change)),
                );
            }
            lines.extend(manifest.features.iter().map(|feature| match (&feature.before, &feature.after) {
                (None, _) => format!("+ feature {}", feature.name),
                (_, None) => format!("- feature {}", feature.name),
                _ => format!("~ feature {}", feature.name),
            }));
            lines.extend(manifest.fields.iter().map(|change| field("package", change)));
        }
    }
    let script = &summary.build_script;
    if script.is_changed || script.before != script.after {
        let path = |path: &Option<String>| path.clone().unwrap_or_else(|| "none".to_owned());
        lines.push(format!(
            "! build script: {} -> {}",
            path(&summary.build_script.before),
            path(&summary.build_script.after)
        ));
    }
    if summary.proc_macro.0 != summary.proc_macro.1 {
        lines.push(format!("! procedural macro: {} -> {}", summary.proc_macro.0, summary.proc_macro.1));
    }
    lines.extend(summary.new_binaries.iter().map(|one| format!("! new binary file {} ({} bytes)", one.path, one.size)));
    lines.extend(summary.new_executables.iter().map(|path| format!("! new executable file {path}")));
    lines.extend(
        summary.unsafe_counts.iter().map(|one| format!("! unsafe in {}: {} -> {}", one.path, one.before, one.after)),
    );
    lines.extend(comparison.files.iter().map(|file| {
        let lines = file.lines.map_or_else(String::new, |(added, removed)| format!(" +{added} -{removed}"));
        match &file.how {
            How::Added => format!("+ {}{lines}", file.path),
            How::Removed => format!("- {}{lines}", file.path),
            How::Changed => format!("~ {}{lines}", file.path),
            How::Renamed { from, .. } => format!("~ {from} -> {}{lines}", file.path),
        }
    }));
    lines
}

fn field(what: &str, change: &FieldChange) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("~ {what} {}: {} -> {}", change.field, value(&change.before), value(&change.after))
}

pub fn remove(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    (krate, version): (&str, &str),
) -> Result<(), AdminError> {
    let set = set_name(name)?;
    let (krate, version): (CrateName, Version) = (krate.parse()?, version.parse()?);
    change::remove_as_operator(connection, &set, (&krate, &version), operator)?;
    say!("took {krate}@{version} out of the release set {name}");
    Ok(())
}

pub fn reject(connection: &mut PgConnection, operator: &Actor, name: &str, reason: &str) -> Result<(), AdminError> {
    let name = set_name(name)?;
    let files = end::reject(connection, &name, reason, operator)?;
    let versions = if files.len() == 1 { "version" } else { "versions" };
    say!("rejected the release set {name} with {} {versions}; their numbers are free again", files.len());
    Ok(())
}

pub fn extend(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    expires_in: Duration,
) -> Result<(), AdminError> {
    let set = find(connection, name)?;
    let until = TimeDelta::from_std(expires_in).ok().and_then(|time| Utc::now().checked_add_signed(time));
    if set.state(Utc::now()) == SetState::Open && until.is_some_and(|until| until < set.expires_at) {
        return Err(AdminError::EndsLater { name: name.to_owned(), end: time(Some(set.expires_at)) });
    }
    let name = set.name;
    let update = Update { expires_in: Some(expires_in), ..Update::default() };
    let set = create::update(connection, (&name, update), operator)?;
    say!("the release set {name} is open until {}", time(Some(set.expires_at)));
    Ok(())
}
