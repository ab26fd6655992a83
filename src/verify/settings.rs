//! The settings of a verification.

use std::path::PathBuf;
use std::time::Duration;

use super::report::{Phase, Report};
use crate::crate_store::CrateStore;
use crate::jobs::index_export::Destination;
use crate::package::RegistryUrls;

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything, including the content of crate files.
    Full,
    /// Only existence and size of crate files, and only whether the repository is readable.
    Light,
}

impl Depth {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Light => "light",
        }
    }
}

/// Where files of upstreams are kept, beside the database.
#[derive(Clone)]
pub struct UpstreamCache {
    pub crate_files: CrateStore,
    /// The directory of the index files.
    pub index_files: PathBuf,
}

#[derive(Clone)]
pub struct Settings {
    pub depth: Depth,
    /// Makes git read and hash every object instead of only following references.
    pub all_objects: bool,
    /// Age from which files of the store that no version names count as differences.
    pub orphan_age: Duration,
    /// Time to wait, at the end of the phase, for crates that are in flight.
    pub patience: Duration,
    /// Bytes of crate files to read per second.
    pub max_rate: Option<f64>,
    /// Crates to check per second.
    pub max_crates: Option<f64>,
    /// Crates per page.
    pub page: i64,
    /// Index URLs of this registry, beside those that follow from its config.json: earlier ones, and those of a registry
    /// whose crates were imported.
    pub registry_urls: RegistryUrls,
    /// What is kept of upstreams, if it is to be checked.
    pub upstreams: Option<UpstreamCache>,
    /// The copy of the index in a bucket, if it is to be checked.
    pub index_export: Option<Destination>,
    /// Resumes an interrupted run.
    pub resume: bool,
    /// Who started the run, for the report.
    pub requested_by: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            depth: Depth::Full,
            all_objects: false,
            orphan_age: Duration::from_secs(24 * 60 * 60),
            patience: Duration::from_secs(30),
            max_rate: None,
            max_crates: None,
            page: 200,
            registry_urls: RegistryUrls::default(),
            upstreams: None,
            index_export: None,
            resume: false,
            requested_by: "operator".to_owned(),
        }
    }
}

/// Receives the progress of a run and can stop it.
pub trait Watch: Sync {
    /// Called after each page.
    fn seen(&self, _phase: Phase, _report: &Report) {}

    /// Called often: true stops the run.
    fn is_stopped(&self) -> bool {
        false
    }
}

impl Watch for () {}
