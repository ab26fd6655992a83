//! The JSON of the API. Its shapes are those of crates.io, so that clients of either can read the other.

pub mod advisory;
pub mod comparison;
pub mod dependency;
pub mod downloads;
pub mod errors;
pub mod krate;
pub mod owner;
pub mod page;
pub mod release_tracks;
pub mod status;
pub mod topic;
pub mod version;

mod text;

pub use advisory::AdvisoriesView;
pub use comparison::ComparisonView;
pub use dependency::DependencyView;
pub use downloads::{ExtraDownloads, VersionDownloads};
pub use errors::{AnyError, ErrorDetail, Errors};
pub use krate::CrateView;
pub use owner::{OwnerView, TeamView, UserView, user_url};
pub use page::{PageMeta, Total, count};
pub use release_tracks::{ReleaseTrack, release_tracks};
pub use status::StatusView;
pub use topic::{CategoryView, KeywordView};
pub use version::VersionView;
