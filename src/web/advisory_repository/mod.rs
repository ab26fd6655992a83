//! `/git/advisories`: the git repository of the advisories about crates of this registry, for readers of RustSec's
//! layout. It is brought up to date when a client asks for its references.

pub mod routes;

use std::sync::{Arc, OnceLock};

use diesel::PgConnection;

use super::index::GitService;
use crate::own_advisories::repository::{Repository, RepositoryError};

/// The repository, and what serves it.
#[derive(Clone)]
pub struct AdvisoryRepository(Arc<(Repository, OnceLock<GitService>)>);

impl AdvisoryRepository {
    pub fn new(repository: Repository) -> Self {
        Self(Arc::new((repository, OnceLock::new())))
    }

    /// Brings the repository up to date; returns what serves it.
    fn update(&self, connection: &mut PgConnection) -> Result<GitService, RepositoryError> {
        let (repository, service) = &*self.0;
        let index = repository.update(connection)?;
        Ok(service.get_or_init(|| GitService::new(index)).clone())
    }
}
