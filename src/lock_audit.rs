//! Which packages of a lock file are affected by advisories: of this registry about its own crates, and of the sources about those
//! of upstreams.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{PgConnection, QueryResult};

use crate::advisory::Ranges;
use crate::database::advisories::known::{self, Known};
use crate::database::advisories::own::OWN;
use crate::package::lock_file::{LockFile, LockedPackage};
use crate::package::lock_origin::Origin;

/// An affected package.
#[derive(Clone, Debug)]
pub struct Affected {
    pub package: LockedPackage,
    pub advisory: Known,
    pub ranges: Ranges,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The packages of this registry and of its upstreams.
    pub checked: usize,
    /// By package.
    pub affected: Vec<Affected>,
    /// Indexes of other registries, whose packages were not checked.
    pub unknown: BTreeSet<String>,
}

/// Looks for advisories about the packages of a lock file. A statement for each registry.
pub fn audit(connection: &mut PgConnection, lock: LockFile, origin: impl Fn(&str) -> Origin) -> QueryResult<Report> {
    let mut report = Report::default();
    let mut of_registries: BTreeMap<String, Vec<LockedPackage>> = BTreeMap::new();
    for package in lock.packages {
        match origin(&package.index) {
            Origin::Upstream(name) => of_registries.entry(name).or_default().push(package),
            Origin::Own => of_registries.entry(OWN.to_owned()).or_default().push(package),
            Origin::Unknown => {
                report.unknown.insert(package.index);
            }
        }
    }
    for (registry, packages) in of_registries {
        report.checked += packages.len();
        let names: Vec<String> = packages.iter().map(|package| package.name.canonical()).collect();
        let known = known::about(connection, &registry, &names)?;
        let known: Vec<(Known, Ranges)> = known
            .into_iter()
            .map(|one| (serde_json::from_value(one.ranges.clone()).unwrap_or_default(), one))
            .map(|(ranges, one)| (one, ranges))
            .collect();
        for package in packages {
            let Ok(version) = package.version.to_string().parse() else { continue };
            let name = package.name.canonical();
            let about = known.iter().filter(|(one, ranges)| one.canonical_name == name && ranges.affects(&version));
            report.affected.extend(about.map(|(advisory, ranges)| Affected {
                package: package.clone(),
                advisory: advisory.clone(),
                ranges: ranges.clone(),
            }));
        }
    }
    report.affected.sort_by(|one, other| one.package.cmp(&other.package));
    Ok(report)
}
