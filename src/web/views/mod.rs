//! The JSON of the API, in the shapes of crates.io's, so that what was written for one reads the other.

pub mod dependency;
pub mod downloads;
pub mod krate;
pub mod owner;
pub mod topic;
pub mod version;

use serde::Serialize;
use utoipa::ToSchema;

pub use dependency::DependencyView;
pub use downloads::{ExtraDownloads, VersionDownloads};
pub use krate::CrateView;
pub use owner::{OwnerView, UserView};
pub use topic::{CategoryView, KeywordView};
pub use version::VersionView;

use crate::package::characters::harmless;

/// What every error is answered with.
#[derive(Serialize, ToSchema)]
pub struct Errors {
    pub errors: Vec<ErrorDetail>,
}

/// One error.
#[derive(Serialize, ToSchema)]
pub struct ErrorDetail {
    /// What was wrong, with its value, and what to do.
    pub detail: String,
}

/// Where a page stands among others.
#[derive(Serialize, ToSchema)]
pub struct PageMeta {
    /// How many there are on all pages.
    pub total: u32,
    /// The query of the next page; null on the last one.
    pub next_page: Option<String>,
    /// The query of the page before; null on the first one.
    pub prev_page: Option<String>,
}

/// How many there are on all pages.
#[derive(Serialize, ToSchema)]
pub struct Total {
    pub total: u32,
}

/// A text of a package. cargo and other clients print it, and packages that were taken before the rule about characters, or
/// from another registry, may have any.
pub fn shown(text: Option<String>) -> Option<String> {
    text.map(harmless)
}

/// A count as the API tells it.
pub fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
