//! The operator's policy for packages, applied to one.

use crate::database::access::provenance::Trusted;
use crate::jobs::publish_version::{self, Known};
use crate::package::policy::Advice;
use crate::package::{CrateName, Package};
use crate::web::{ApiError, App};

/// Applies the operator's policy for packages. `trusted`: it is published by a trusted publisher. `staged` are the crates of the release set that the package goes to.
pub(super) fn judge(
    app: &App,
    package: &Package,
    known: &Known,
    (staged, trusted): (&[CrateName], Option<&Trusted>),
) -> Result<Vec<Advice>, ApiError> {
    let policy = &app.settings.policy;
    let mut advice = policy.check(&package.manifest)?;
    if !package.differences.is_empty() {
        advice.push(Advice::Differences(package.differences.clone()));
    }
    advice.extend(policy.check_paths(&package.unportable)?);
    if let Some(commit) = trusted.and_then(|trusted| trusted.provenance.sha.as_deref()) {
        advice.extend(policy.check_commit(commit, package.vcs_info.as_ref())?);
    }
    let dependencies = package.dependencies_here();
    if !dependencies.is_empty() {
        let unknown = publish_version::unknown_dependencies(&app.pool, &dependencies, known, staged)?;
        advice.extend(policy.check_unknown(unknown)?);
    }
    Ok(advice)
}
