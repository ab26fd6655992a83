//! A publish into a release set: the same checks, and another end.

use bytes::Bytes;
use chrono::Utc;

use super::{judging, storing};
use crate::database::access::caller::Caller;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::set_refusal::{SetRefusal, StagedSibling};
use crate::database::staging::sets;
use crate::database::staging::{SetName, staged};
use crate::fault;
use crate::index::entry::Entry;
use crate::jobs::lost_rows::TakenPlaces;
use crate::jobs::publish_judgement::Destination;
use crate::jobs::staging::end::remove_files;
use crate::jobs::staging::stage::{self, Into, Staged};
use crate::jobs::{RequestError, publish_version};
use crate::package::characters::plain;
use crate::package::dependency::Dependency;
use crate::package::{self, CrateName, Limits, Package, Refusal, Version};
use crate::web::{ApiError, App};

/// Checks the publish, stores its file and stages its version; returns the size of the file and what the publisher reads.
/// Without a set, the client has published a crate plainly that is published by approvals only: it gets a set of its own.
pub(super) fn accept(
    app: &App,
    (caller, set): (&Caller, Option<&SetName>),
    body: Bytes,
) -> Result<(usize, Vec<String>), ApiError> {
    let settings = &app.settings;
    let max_crate = settings.limits.max_crate.max(body.len());
    let request = package::frame(body, &Limits { max_crate, ..settings.limits.clone() })?;
    let (name, num) = (request.name(), request.version());
    let dependencies = request.metadata().deps.iter().map(|dependency| &*dependency.name);
    let is_of_publish = set.is_none();
    let set = &match set {
        Some(set) => set.clone(),
        None => own_set(app, (name, num), caller)?,
    };
    let taken = TakenPlaces::of(app.index.view.index())?;
    let (known, siblings) = app.pool.with(|connection| {
        let siblings = siblings_in(connection, set)?;
        let destination = Destination::Set(set);
        let requester = (caller, &settings.admission);
        let known = publish_version::check(connection, (name, num), dependencies, requester, destination)?;
        Ok::<_, RequestError>((known, siblings))
    })??;
    if let Some(refusal) = taken.refusal((name, num), request.checksum(), &known)? {
        return Err(refusal.into());
    }
    fault::point("request.read")?;
    let limits = known.limits.over(&settings.limits);
    let begun = storing::begin(app, caller, &request, &known);
    let package = app.cpu_slots.run(|| request.open(&settings.urls, &limits, settings.policy.manifest_mismatch))?;
    let advice = judging::judge(app, &package, &known, (&siblings, caller))?;
    if is_of_publish {
        check_siblings(app, &package, (set, caller))?;
    }
    let line = Entry::new(&package, Utc::now()).to_line();
    limits.check_index_line(&line).map_err(Refusal::from)?;
    limits.check_index_file(known.index_bytes, &line).map_err(Refusal::from)?;
    storing::admit(app, caller, package.crate_file.len(), &known)?;
    let staged = storing::stored(app, &package, begun, || {
        let is_stored = || app.crate_store.contains(package.checksum);
        let requester = (caller, &settings.admission);
        let into = Into { set, is_of_publish, is_preview: !settings.auth_required };
        app.pool
            .with(|connection| stage::request(connection, into, &package, (&line, &limits), requester, is_stored))?
    })?;
    app.overlays.forget(set);
    fault::point("stage.committed")?;
    tracing::info!("crate" = %package.name, version = %package.version, %set, "staged a version");
    if let Some(replaced) = staged.replaced
        && let Err(error) = app.pool.with(|connection| remove_files(connection, &app.crate_store, &[replaced]))
    {
        tracing::warn!(%error, "the file of a replaced version stays until the store is tidied");
    }
    let mut said: Vec<String> = advice.iter().map(|advice| plain(&advice.to_string()).into_owned()).collect();
    said.push(words(app, &staged, &format!("`{}@{}`", package.name, package.version), is_of_publish));
    Ok((package.crate_file.len(), said))
}

/// The set of a plain publish: that of an earlier one of the same version, or a new one.
fn own_set(app: &App, version: (&CrateName, &Version), caller: &Caller) -> Result<SetName, ApiError> {
    let earlier = app.pool.with(|connection| sets::of_publish(connection, version, caller.user.id))??;
    match earlier {
        Some(set) => Ok(set),
        None => SetName::generate().map_err(ApiError::internal),
    }
}

/// Refuses a plain publish of a crate whose dependencies are not published: cargo would upload the other
/// crates of the workspace, and wait for each until it gives up.
fn check_siblings(app: &App, package: &Package, (set, caller): (&SetName, &Caller)) -> Result<(), ApiError> {
    let here = package.manifest.dependencies.iter().filter(|dependency| dependency.registry.is_none());
    let wanted: Vec<_> = here.filter(|dependency| dependency.name != package.name).collect();
    let names: Vec<CrateName> = wanted.iter().map(|dependency| dependency.name.clone()).collect();
    let published = app.pool.with(|connection| staged::published_numbers(connection, &names))??;
    let is_missing = |dependency: &&&Dependency| {
        let canonical = dependency.name.canonical();
        !published.iter().any(|(name, num)| *name == canonical && dependency.requirement.matches(num.as_semver()))
    };
    let absent: Vec<&&Dependency> = wanted.iter().filter(is_missing).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let text = |dependency: &&&Dependency| format!("`{} {}`", dependency.name, dependency.requirement);
    let missing = absent.iter().map(text).collect::<Vec<_>>().join(", ");
    let (name, num) = (package.name.clone(), package.version.clone());
    let index = |set: &SetName| format!("sparse+{}/stage/{set}/index/", app.settings.base_url);
    // Perhaps the same user has staged one of them just before.
    let names: Vec<CrateName> = absent.iter().map(|dependency| dependency.name.clone()).collect();
    let staged = app.pool.with(|connection| staged::by_user(connection, &names, caller.user.id))??;
    let matching = staged.into_iter().find(|(_, staged, num)| {
        let is_meant =
            |one: &&&Dependency| one.name.canonical() == staged.canonical() && one.requirement.matches(num.as_semver());
        absent.iter().any(is_meant)
    });
    let refused = match matching {
        Some((set, krate, version)) => {
            let (index, staged) = (index(&set), format!("{krate}@{version}"));
            SetRefusal::SiblingsStaged { name, num, missing, sibling: Box::new(StagedSibling { set, staged, index }) }
        }
        None => SetRefusal::SiblingsMissing { name, num, missing, index: index(set) },
    };
    Err(ChangeRefusal::from(refused).into())
}

/// The crates of a set that is open; none for a set that the publish creates.
fn siblings_in(connection: &mut diesel::PgConnection, name: &SetName) -> Result<Vec<CrateName>, RequestError> {
    let Some(set) = sets::find(connection, name)?.filter(|set| !set.is_unused(Utc::now())) else {
        return Ok(Vec::new());
    };
    set.check_open(Utc::now())?;
    Ok(staged::names(connection, set.id)?)
}

/// What the publisher reads about the staging.
fn words(app: &App, staged: &Staged, version: &str, is_of_publish: bool) -> String {
    let Staged { set, .. } = staged;
    let done = if staged.replaced.is_some() { "is staged in place of the one before" } else { "is staged" };
    let index = format!("sparse+{}/stage/{}/index/", app.settings.base_url, set.name);
    let others = if is_of_publish {
        format!(
            ". Publish the crates that depend on it into the same set, with CARGO_REGISTRIES_NAME_INDEX={index} (NAME: the \
             registry's name in .cargo/config.toml, in capitals)"
        )
    } else {
        String::new()
    };
    format!(
        "{version} {done} in the release set `{name}`, and not published yet. Look at the set and approve it until {end}, at \
         {base}/release-sets/{name}{others}",
        name = set.name,
        end = set.expires_at.format("%Y-%m-%d"),
        base = app.settings.base_url,
    )
}
