//! The kinds of jobs of this program, and the limits by which the queue's health is judged.

use std::sync::LazyLock;

use crate::checks::Judged;
use crate::config::LimitOptions;
use crate::jobs;
use crate::queue::KnownKinds;
use crate::queue::registry::RegistryError;
use crate::web::ApiError;

/// The kinds, and the limits that a monitor has if nothing else is chosen.
#[derive(Debug)]
pub struct Known {
    pub kinds: KnownKinds,
    pub limits: LimitOptions,
}

static KNOWN: LazyLock<Result<Known, RegistryError>> =
    LazyLock::new(|| Ok(Known { kinds: KnownKinds::of(&jobs::registry()?), limits: LimitOptions::usual() }));

/// The kinds and the limits.
pub fn known() -> Result<&'static Known, ApiError> {
    KNOWN.as_ref().map_err(|error| ApiError::internal(error.to_string()))
}

impl Known {
    pub fn judged(&self) -> Judged<'_> {
        Judged { limits: &self.limits, kinds: &self.kinds }
    }
}
