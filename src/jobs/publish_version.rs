//! Publishing: the request that accepts a version, and the job that writes it to the index.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admission::Admission;
use super::environment::Environment;
use super::publish_judgement::{Destination, Publish, grant, scope};
use super::request::{Completion, RequestError, enqueue};
use super::subject::Subject;
use super::sync_index::SyncIndex;
use super::version_change::{INDEX_POLICY, VersionChange};
use crate::crate_store::CrateStoreError;
use crate::database::Pool;
use crate::database::about::About;
use crate::database::access::audit::{Action, Event};
use crate::database::access::buckets::Levels;
use crate::database::access::caller::Caller;
use crate::database::access::scope::Scope;
use crate::database::access::upload_allowance::UploadAllowance;
use crate::database::catalog::crate_details::CountedCrate;
use crate::database::catalog::crate_limits::CrateLimits;
use crate::database::catalog::crates::{self, Origin};
use crate::database::catalog::locked_crate;
use crate::database::catalog::new_version::NewVersion;
use crate::database::catalog::publish_facts::{self, Before};
use crate::database::publishers::grants::Grant;
use crate::package::policy::UnknownDependency;
use crate::package::{CrateName, Limits, Package, Version};
use crate::queue::{Completions, Job, Member, Policy};

/// An accepted version is to be added to the index.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct PublishVersion(pub VersionChange);

impl Job for PublishVersion {
    const KIND: &'static str = "publish_version";
    const POLICY: Policy = INDEX_POLICY;

    fn key(&self) -> Option<String> {
        Some(self.0.name.to_string())
    }
}

impl Member<Environment, SyncIndex> for PublishVersion {
    fn into_member(self) -> Subject {
        Subject::VersionChange(self.0)
    }
}

/// What the database has of a crate before a publish of it is read.
#[derive(Clone, Debug)]
pub struct Known {
    /// The limits of its name.
    pub limits: CrateLimits,
    /// Size of its file in the index.
    pub index_bytes: u64,
    /// The publisher's upload allowance.
    pub levels: Levels,
    /// The crate as clients see it; None if it does not exist.
    pub details: Option<CountedCrate>,
    /// The canonical names that were looked up, in order, and the names of the crates that have them.
    dependencies: (Vec<String>, Vec<CrateName>),
    /// Whether there was no such crate.
    pub is_new: bool,
    /// Whether the crate has a row, also as a deleted one.
    pub has_row: bool,
}

/// Refuses a publish early, before its crate file is read. [`request`] repeats the checks under the crate's lock.
/// `dependencies` are the names of its dependencies, as far as they are known.
pub fn check<'a>(
    connection: &mut PgConnection,
    (name, num): (&CrateName, &Version),
    dependencies: impl Iterator<Item = &'a str>,
    (caller, admission): (&Caller, &Admission),
    destination: Destination<'_>,
) -> Result<Known, RequestError> {
    let names = dependencies.filter_map(|name| name.parse::<CrateName>().ok());
    let dependencies: BTreeSet<String> = names.map(|name| name.canonical()).collect();
    let dependencies: Vec<String> = dependencies.into_iter().collect();
    let rate_limits = &admission.rate_limits;
    let scopes = [Scope::PublishNew, Scope::PublishUpdate].into_iter().filter_map(|scope| rate_limits.bucket(scope));
    let buckets: Vec<_> = scopes.chain(admission.upload_allowance.map(UploadAllowance::bucket)).collect();
    let Before { krate, facts, details, limits, present } =
        publish_facts::read(connection, (name, num), caller.user.id, &dependencies, &buckets)?;
    let origin = match &krate {
        None => Origin::Created,
        Some(found) if found.deletion.frees_the_name() => Origin::Revived,
        Some(_) => Origin::Existing,
    };
    let grant = &grant(connection, caller, (krate.as_ref(), origin, name))?;
    let grant = grant.as_ref();
    let publish = Publish { krate: krate.as_ref(), origin, name, num, caller, admission, destination, grant };
    publish.judge(connection, &facts)?;
    rate_limits.check(&facts.levels, &caller.user.login, scope(origin))?;
    let index_bytes = if origin.is_new() { 0 } else { facts.index_bytes };
    let (levels, is_new, has_row) = (facts.levels, origin.is_new(), krate.is_some());
    Ok(Known { limits, index_bytes, levels, details, dependencies: (dependencies, present), is_new, has_row })
}

/// The crates among these dependencies that are not in the registry. A crate exists from its first accepted version until
/// its deletion. A name in another spelling does not exist, because cargo requests the exact spelling of the dependency.
/// Only names that [`check`] did not look up are looked up now. `staged` are crates of the release set that the package goes
/// to.
pub fn unknown_dependencies(
    pool: &Pool,
    names: &BTreeSet<&CrateName>,
    known: &Known,
    staged: &[CrateName],
) -> Result<Vec<UnknownDependency>, RequestError> {
    let found = present(pool, names, known)?;
    let unknown = names.iter().copied().filter(|name| !found.contains(name) && !staged.contains(name));
    Ok(unknown
        .map(|name| UnknownDependency {
            name: name.clone(),
            spelling: found.iter().find(|found| found.canonical() == name.canonical()).cloned(),
        })
        .collect())
}

/// The crates that are in the registry, in any spelling of these names. Only names that [`check`] did not look up are looked up now.
pub fn present(pool: &Pool, names: &BTreeSet<&CrateName>, known: &Known) -> Result<Vec<CrateName>, RequestError> {
    let (asked, present) = &known.dependencies;
    if names.iter().all(|name| asked.binary_search(&name.canonical()).is_ok()) {
        return Ok(present.clone());
    }
    let names: Vec<&CrateName> = names.iter().copied().collect();
    Ok(pool.with(|connection| crates::present_names_like(connection, &names))??)
}

/// An accepted version.
pub struct Requested {
    pub version_id: i32,
    /// The row of a crate that is new.
    pub new_crate: Option<CountedCrate>,
    pub completion: Completion,
}

/// Accepts a version: writes the crate, its first owner, the version and the job in one transaction. The crate file must be
/// stored already; `is_stored` checks that it still is.
pub fn request(
    connection: &mut PgConnection,
    (package, about): (&Package, &About),
    (index_line, limits): (&str, &Limits),
    (caller, admission): (&Caller, &Admission),
    is_stored: impl FnOnce() -> Result<bool, CrateStoreError>,
    completions: &Completions,
) -> Result<Requested, RequestError> {
    connection.transaction(|connection| {
        let locked = locked_crate::ensure(connection, &package.name, caller)?;
        let caller = &locked.caller?;
        let (krate, origin, login) = (&locked.krate, locked.origin, &caller.user.login);
        let (name, num, size) = (&package.name, &package.version, package.crate_file.len());
        let rate_limits = &admission.rate_limits;
        let grant = grant(connection, caller, (Some(krate), origin, name))?;
        let upload = admission.upload_allowance.map(|allowance| allowance.draw_of(size));
        let draws: Vec<_> = rate_limits.draw_of(scope(origin)).into_iter().chain(upload).collect();
        let version = NewVersion {
            krate,
            is_new: origin.is_new(),
            num,
            checksum: package.checksum,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            index_line,
            metadata: &package.metadata,
            about,
            dependencies: &package.manifest.dependencies,
            created_by: caller.user.id,
            owner: Grant::owner_or(grant.as_ref(), &caller.user).0,
            provenance: caller.token.trusted.as_ref().map(|trusted| &trusted.provenance),
            draws: &draws,
            release_set: None,
        };
        let event = Event::new(Action::Publish)
            .of_crate(&krate.name)
            .of_version(num)
            .detail(json!({ "checksum": package.checksum, "size": size, "new_crate": origin.is_new() }));
        let (version_id, facts) = version.insert(connection, event, &caller.actor())?;
        let destination = Destination::Index;
        let grant = grant.as_ref();
        let publish = Publish { krate: Some(krate), origin, name, num, caller, admission, destination, grant };
        publish.judge(connection, &facts)?;
        if !origin.is_new() {
            limits.check_index_file(facts.index_bytes, index_line)?;
        }
        rate_limits.check_drawn(&facts.levels, login, scope(origin))?;
        admission.upload_allowance.map_or(Ok(()), |allowance| allowance.check_drawn(&facts.levels, login, size))?;
        // No other transaction adds versions while the crate's row is locked, and the check above found none.
        let version_id = version_id.ok_or(diesel::NotFound)?;
        // From here on the file is not removed: see `unused_files`.
        if !is_stored()? {
            return Err(RequestError::FileRemoved);
        }
        let change = VersionChange { crate_id: krate.id, version_id, name: krate.name.clone(), num: num.clone() };
        let completion = enqueue(connection, &PublishVersion(change), caller, completions)?;
        let new_crate = origin.is_new().then(|| CountedCrate::new(krate.id, krate.name.clone(), locked.created_at));
        Ok(Requested { version_id, new_crate, completion })
    })
}
