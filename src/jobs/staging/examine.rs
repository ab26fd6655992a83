//! Examining what a set would publish: every rule of a publish is applied again to the stored files, with the limits and the
//! policy of this moment, before the transaction of the approval.

use std::collections::BTreeSet;

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Utc};
use diesel::PgConnection;

use crate::crate_store::CrateStore;
use crate::database::about::About;
use crate::database::access::provenance::Trusted;
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::catalog::{crate_limits, crates};
use crate::database::staging::sets::ReleaseSet;
use crate::database::staging::staged::{self, StagedChange, StagedVersion};
use crate::index::entry::Entry;
use crate::jobs::request::RequestError;
use crate::package::dependency::Dependency;
use crate::package::policy::UnknownDependency;
use crate::package::{self, CrateName, Limits, Package, Policy, RegistryUrls};

/// The rules of this moment.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    pub urls: &'a RegistryUrls,
    pub limits: &'a Limits,
    pub policy: &'a Policy,
}

/// A staged version that may be published, apart from what the transaction of the approval decides.
pub struct ExaminedVersion {
    pub staged: StagedVersion,
    /// Its line, with the time of the approval.
    pub index_line: String,
    pub about: About,
    pub dependencies: Vec<Dependency>,
    pub limits: Limits,
}

/// A set as it was examined.
pub struct Examined {
    pub set: ReleaseSet,
    pub versions: Vec<ExaminedVersion>,
    pub changes: Vec<StagedChange>,
    /// What is wrong with the others.
    pub problems: Vec<String>,
}

/// Examines an open set. `time` is the time of publication that its lines get.
pub fn examine(
    connection: &mut PgConnection,
    set: ReleaseSet,
    store: &CrateStore,
    rules: Rules<'_>,
    time: DateTime<Utc>,
) -> Result<Examined, RequestError> {
    set.check_open(Utc::now())?;
    let staged = staged::of_set(connection, set.id)?;
    let changes = staged::changes_of(connection, set.id)?;
    if staged.is_empty() && changes.is_empty() {
        return Err(SetRefusal::Empty(set.name).into());
    }
    let names: Vec<CrateName> = staged.iter().map(|one| one.name.clone()).collect();
    let (mut versions, mut problems) = (Vec::new(), Vec::new());
    for one in staged {
        let limits = crate_limits::of(connection, &one.name)?.over(rules.limits);
        let label = format!("`{}@{}`", one.name, one.num);
        match opened(&one, store, (rules, &limits))? {
            Err(problem) => problems.push(format!("{label}: {problem}")),
            Ok(package) => {
                let unknown = unknown(connection, &package, &names)?;
                match judged(&package, rules.policy, unknown, one.trusted.as_ref()) {
                    Err(problem) => problems.push(format!("{label}: {problem}")),
                    Ok(()) => versions.push(ExaminedVersion {
                        index_line: Entry::new(&package, time).to_line(),
                        about: About::of(&package.manifest, &package.targets),
                        dependencies: package.manifest.dependencies,
                        limits,
                        staged: one,
                    }),
                }
            }
        }
    }
    Ok(Examined { set, versions, changes, problems })
}

/// The package of a staged version, or why it cannot be published.
fn opened(
    staged: &StagedVersion,
    store: &CrateStore,
    (rules, limits): (Rules<'_>, &Limits),
) -> Result<Result<Package, String>, RequestError> {
    let Some(file) = store.read(staged.checksum)? else {
        return Ok(Err("its crate file is missing: stage it again".to_owned()));
    };
    let metadata = staged.metadata.to_string();
    let mut body = BytesMut::with_capacity(metadata.len() + file.len() + 8);
    for part in [metadata.as_bytes(), &file] {
        // Both were received with lengths of 32 bits.
        body.put_u32_le(u32::try_from(part.len()).unwrap_or(u32::MAX));
        body.put_slice(part);
    }
    // The metadata is stored as JSON, so its text may have grown a little.
    let of_body = Limits { max_metadata: body.len(), max_crate: limits.max_crate.max(file.len()), ..limits.clone() };
    let package = package::frame(body.freeze(), &of_body)
        .and_then(|request| request.open(rules.urls, limits, rules.policy.manifest_mismatch));
    Ok(package.map_err(|refusal| refusal.to_string()))
}

fn judged(
    package: &Package,
    policy: &Policy,
    unknown: Vec<UnknownDependency>,
    trusted: Option<&Trusted>,
) -> Result<(), String> {
    if let Some(commit) = trusted.and_then(|trusted| trusted.provenance.sha.as_deref()) {
        policy.check_commit(commit, package.vcs_info.as_ref()).map_err(|refusal| refusal.to_string())?;
    }
    policy.check(&package.manifest).map_err(|refusal| refusal.to_string())?;
    policy.check_paths(&package.unportable).map_err(|refusal| refusal.to_string())?;
    policy.check_unknown(unknown).map(drop).map_err(|refusal| refusal.to_string())
}

/// The dependencies that neither the registry nor the set has.
fn unknown(
    connection: &mut PgConnection,
    package: &Package,
    staged: &[CrateName],
) -> Result<Vec<UnknownDependency>, RequestError> {
    let elsewhere: BTreeSet<&CrateName> =
        package.dependencies_here().into_iter().filter(|name| !staged.contains(name)).collect();
    let asked: Vec<&CrateName> = elsewhere.into_iter().collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let found = crates::present_names_like(connection, &asked)?;
    let is_unknown = |name: &&&CrateName| !found.contains(name);
    let of = |name: &CrateName| UnknownDependency {
        name: name.clone(),
        spelling: found.iter().find(|found| found.canonical() == name.canonical()).cloned(),
    };
    Ok(asked.iter().filter(is_unknown).map(|name| of(name)).collect())
}
