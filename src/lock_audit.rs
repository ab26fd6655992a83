//! Which packages of a lock file are affected by advisories: of this registry about its own crates, and of the sources about those
//! of upstreams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::PgConnection;

use crate::advisory::Ranges;
use crate::database::advisories::known::{self, Known};
use crate::database::advisories::own::OWN;
use crate::package::lock_file::{LockFile, LockedPackage};
use crate::package::lock_origin::Origin;

/// Affected packages that are named. A lock file can be made that has very many.
pub const NAMED: usize = 1000;

/// An affected package.
#[derive(Clone, Debug)]
pub struct Affected {
    pub package: LockedPackage,
    pub advisory: Arc<(Known, Ranges)>,
}

/// Why there is no answer. One that leaves out what cannot be read would call a project safe.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error("the affected versions of an advisory cannot be read")]
    Ranges(#[from] serde_json::Error),
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The packages of this registry and of its upstreams.
    pub checked: usize,
    /// How often a vulnerability affects a package.
    pub vulnerabilities: usize,
    /// By package, the first of them.
    pub affected: Vec<Affected>,
    /// Indexes of other registries, and git repositories, whose packages were not checked.
    pub unknown: BTreeSet<String>,
}

/// Looks for advisories about the packages of a lock file. A statement for each registry.
pub fn audit(
    connection: &mut PgConnection,
    lock: LockFile,
    origin: impl Fn(&str) -> Origin,
) -> Result<Report, AuditError> {
    let mut report = Report::default();
    // They are named as `NAME VERSION (SOURCE)`.
    let source = |package: &String| {
        let source = package.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
        source.unwrap_or(package).to_owned()
    };
    report.unknown.extend(lock.of_git.iter().map(source));
    let mut of_registries: BTreeMap<String, BTreeSet<LockedPackage>> = BTreeMap::new();
    for package in lock.packages {
        match origin(&package.index) {
            Origin::Upstream(name) => drop(of_registries.entry(name).or_default().insert(package)),
            Origin::Own => drop(of_registries.entry(OWN.to_owned()).or_default().insert(package)),
            Origin::Unknown => drop(report.unknown.insert(package.index)),
        }
    }
    for (registry, packages) in of_registries {
        report.checked += packages.len();
        let names: BTreeSet<String> = packages.iter().map(|package| package.name.canonical()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut known: BTreeMap<String, Vec<Arc<(Known, Ranges)>>> = BTreeMap::new();
        for one in known::about(connection, &registry, &names)? {
            let ranges = one.affected()?;
            known.entry(one.canonical_name.clone()).or_default().push(Arc::new((one, ranges)));
        }
        packages.into_iter().for_each(|package| report.add(package, &known));
    }
    report.affected.sort_by(|one, other| one.package.cmp(&other.package));
    Ok(report)
}

impl Report {
    fn add(&mut self, package: LockedPackage, known: &BTreeMap<String, Vec<Arc<(Known, Ranges)>>>) {
        let Some(about) = known.get(&package.name.canonical()) else { return };
        let Ok(version) = package.version.to_string().parse() else { return };
        for advisory in about.iter().filter(|advisory| advisory.1.affects(&version)) {
            self.vulnerabilities += usize::from(advisory.0.informational.is_none());
            if self.affected.len() < NAMED {
                self.affected.push(Affected { package: package.clone(), advisory: Arc::clone(advisory) });
            }
        }
    }
}
