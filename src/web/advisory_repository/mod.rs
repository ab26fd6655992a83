//! `/git/advisories`: the git repository of the advisories about crates of this registry, for readers of RustSec's
//! layout. It is brought up to date when a client asks for its references.

pub mod routes;

use std::sync::Arc;

use super::index::GitService;
use crate::own_advisories::repository::Repository;

/// The repository, and what serves it.
#[derive(Clone)]
pub struct AdvisoryRepository(Arc<(Repository, GitService)>);

impl AdvisoryRepository {
    pub fn new(repository: Repository) -> Self {
        let service = GitService::new(repository.index());
        Self(Arc::new((repository, service)))
    }
}
