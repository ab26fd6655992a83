//! The requests of each operation: those that prepare it, its own, and those that must be possible afterwards.

use std::collections::BTreeMap;

use super::checks::VersionChanges;
use super::client::Request;
use super::plan::Operation;
use crate::support::package::Package;

/// What was accepted, by crate.
#[derive(Clone, Default)]
pub struct Accepted(pub BTreeMap<String, VersionChanges>);

impl Accepted {
    pub fn note(&mut self, request: &Request) {
        match request {
            Request::Publish(package) => self.note_version(&package.name, &package.version, false),
            Request::Yank { name, num, yanked } => self.note_version(name, num, *yanked),
            Request::DeleteCrate(name) => self.0.entry(name.clone()).or_default().clear(),
            Request::Stage { package, .. } => drop(self.0.entry(package.name.clone()).or_default()),
            Request::Approve(set) => {
                let name = set.trim_start_matches("set-of-");
                self.note_version(name, "1.1.0", false);
                self.note_version(&sibling(name), "1.1.0", false);
            }
            Request::Reject(_) | Request::Expire(_) => {}
        }
    }

    fn note_version(&mut self, name: &str, num: &str, yanked: bool) {
        self.0.entry(name.to_owned()).or_default().insert(num.to_owned(), yanked);
    }
}

/// The other crate of a set.
pub fn sibling(name: &str) -> String {
    format!("{name}-sibling")
}

pub fn preparation(name: &str, operation: Operation) -> Vec<Request> {
    let (first, sibling) = (publish(name, "1.0.0"), sibling(name));
    match operation {
        Operation::NewCrate => vec![],
        Operation::NewVersion | Operation::Yank | Operation::YankAndUnyank | Operation::Stage => vec![first],
        Operation::Unyank => vec![first, yank(name, true)],
        Operation::DeleteCrate => vec![first, publish(name, "1.1.0")],
        Operation::Replace => vec![first, stage(name, draft(name))],
        Operation::Approve | Operation::ApproveBesidePublish => vec![
            first,
            publish(&sibling, "1.0.0"),
            stage(name, Package::new(name, "1.1.0")),
            stage(name, Package::new(&sibling, "1.1.0")),
        ],
        Operation::Reject | Operation::Expire => vec![first, stage(name, draft(name)), stage(name, draft(&sibling))],
    }
}

pub fn own(name: &str, operation: Operation) -> Vec<Request> {
    match operation {
        Operation::NewCrate => vec![publish(name, "1.0.0")],
        Operation::NewVersion => vec![publish(name, "1.1.0")],
        Operation::Yank => vec![yank(name, true)],
        Operation::Unyank => vec![yank(name, false)],
        Operation::YankAndUnyank => vec![yank(name, true), yank(name, false)],
        Operation::DeleteCrate => vec![Request::DeleteCrate(name.to_owned())],
        Operation::Stage | Operation::Replace => vec![stage(name, Package::new(name, "1.1.0"))],
        Operation::Approve | Operation::ApproveBesidePublish => vec![Request::Approve(set_of(name))],
        Operation::Reject => vec![Request::Reject(set_of(name))],
        Operation::Expire => vec![Request::Expire(set_of(name))],
    }
}

/// What is sent at the same time.
pub fn beside(name: &str, operation: Operation) -> Option<Request> {
    (operation == Operation::ApproveBesidePublish).then(|| publish(name, "1.2.0"))
}

/// The drafts of a set that ended without a publish. Nobody needs their files.
pub fn drafts(name: &str, operation: Operation) -> Vec<Package> {
    match operation {
        Operation::Replace => vec![draft(name)],
        _ if operation.gives_up() => vec![draft(name), draft(&sibling(name))],
        _ => vec![],
    }
}

/// The number that was given back, and the name, which somebody else takes.
pub fn by_others(name: &str) -> [Request; 2] {
    [publish(name, "1.1.0"), publish(&sibling(name), "1.1.0")]
}

fn publish(name: &str, num: &str) -> Request {
    Request::Publish(Package::new(name, num))
}

fn yank(name: &str, yanked: bool) -> Request {
    Request::Yank { name: name.to_owned(), num: "1.0.0".to_owned(), yanked }
}

fn stage(of: &str, package: Package) -> Request {
    Request::Stage { set: set_of(of), package }
}

/// A file that is never published.
fn draft(name: &str) -> Package {
    Package::new(name, "1.1.0").described("A draft")
}

pub fn set_of(name: &str) -> String {
    format!("set-of-{name}")
}
