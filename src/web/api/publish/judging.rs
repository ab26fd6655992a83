//! The operator's policy for packages, applied to one.

use std::collections::BTreeSet;

use crate::database::access::caller::Caller;
use crate::jobs::publish_version::{self, Known};
use crate::package::policy::{Advice, NameAdvice, Namesake, UpstreamNames};
use crate::package::registry_urls::is_crates_io;
use crate::package::{CrateName, Package};
use crate::web::upstreams::Looked;
use crate::web::{ApiError, App};

/// Applies the operator's policy for packages. `staged` are the crates of the release set that the package goes to.
pub(super) fn judge(
    app: &App,
    package: &Package,
    known: &Known,
    (staged, caller): (&[CrateName], &Caller),
) -> Result<Vec<Advice>, ApiError> {
    let policy = &app.settings.policy;
    let mut advice = policy.check(&package.manifest)?;
    if !package.differences.is_empty() {
        advice.push(Advice::Differences(package.differences.clone()));
    }
    advice.extend(policy.check_paths(&package.unportable)?);
    let trusted = caller.token.trusted.as_ref();
    if let Some(commit) = trusted.and_then(|trusted| trusted.provenance.sha.as_deref()) {
        advice.extend(policy.check_commit(commit, package.vcs_info.as_ref())?);
    }
    let dependencies = package.dependencies_here();
    if !dependencies.is_empty() {
        let unknown = publish_version::unknown_dependencies(&app.pool, &dependencies, known, staged)?;
        advice.extend(policy.check_unknown(unknown)?);
    }
    if policy.upstream_names != UpstreamNames::Off {
        advice.extend(public_namesakes(app, package, known)?);
        // Last, since other registries may be asked.
        advice.extend(taken_name(app, package, known, caller)?);
    }
    Ok(advice)
}

/// Dependencies on crates.io that have the names of crates of this registry, as they are spelled.
fn public_namesakes(app: &App, package: &Package, known: &Known) -> Result<Option<Advice>, ApiError> {
    let dependencies = package.manifest.dependencies.iter();
    let public = dependencies.filter(|dependency| dependency.registry.as_deref().is_some_and(is_crates_io));
    let names: BTreeSet<&CrateName> = public.map(|dependency| &dependency.name).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let present = publish_version::present(&app.pool, &names, known)?;
    let both: Vec<CrateName> = names.into_iter().filter(|name| present.contains(name)).cloned().collect();
    Ok(Some(both).filter(|both| !both.is_empty()).map(|both| Advice::Name(NameAdvice::Public(both))))
}

/// What upstreams say of the name of a new crate.
fn taken_name(app: &App, package: &Package, known: &Known, caller: &Caller) -> Result<Vec<Advice>, ApiError> {
    if !known.is_new {
        return Ok(Vec::new());
    }
    let (policy, name, is_admin) = (&app.settings.policy, &package.name, caller.user.is_admin);
    let (mut by, mut advice) = (Vec::new(), Vec::new());
    for Looked { upstream, found } in app.settings.upstreams.look_up(name) {
        match found {
            Ok(None) => {}
            Ok(Some(name)) => by.push(Namesake { upstream, name }),
            Err(problem) => {
                advice.push(Advice::Name(NameAdvice::Unchecked { name: name.clone(), upstream, problem }));
            }
        }
    }
    let taken = policy.check_namesakes(name, by, is_admin)?;
    // A name that is refused anyway was refused above.
    if let Some(unchecked) = advice.first().filter(|_| policy.upstream_names == UpstreamNames::Refuse && !is_admin) {
        return Err(ApiError::busy(format!(
            "{unchecked}. This registry refuses names that its upstreams have, so nothing was published: try again when the upstream answers, \
             or let an admin publish the first version"
        )));
    }
    advice.extend(taken);
    Ok(advice)
}
