//! The JSON of a dependency.

use serde::Serialize;
use utoipa::ToSchema;

use super::text::shown;
use crate::database::catalog::dependencies::StoredDependency;
use crate::package::characters::harmless;

/// A dependency of a version.
#[derive(Serialize, ToSchema)]
#[schema(as = Dependency)]
pub struct DependencyView {
    id: i32,
    /// The id of the version that has the dependency.
    version_id: i32,
    /// The name of the crate that it depends on.
    crate_id: String,
    req: String,
    optional: bool,
    default_features: bool,
    features: Vec<String>,
    target: Option<String>,
    /// `normal`, `build` or `dev`.
    #[schema(example = "normal")]
    kind: String,
    /// Downloads of the dependent in lists of dependents; otherwise 0.
    downloads: i64,
    /// The key in the manifest, if it differs from the crate's name.
    explicit_name_in_toml: Option<String>,
    /// The index of the crate's registry; null: this registry.
    registry: Option<String>,
}

impl DependencyView {
    pub fn new(stored: StoredDependency, downloads: i64) -> Self {
        Self {
            id: stored.id,
            version_id: stored.version_id,
            crate_id: stored.name,
            req: stored.req,
            optional: stored.optional,
            default_features: stored.default_features,
            features: stored.features.into_iter().map(harmless).collect(),
            target: shown(stored.target),
            kind: stored.kind,
            downloads,
            explicit_name_in_toml: stored.rename,
            registry: shown(stored.registry),
        }
    }
}
