//! Bundles: directories from which cargo builds without a network, and which another registry takes into its cache.
//!
//! A bundle has cargo's local-registry layout (the Cargo book, "Source Replacement"): `index/` with the lines of its versions, and
//! their crate files beside it. With several sources, each has a directory of its own with this layout.

mod checking;
mod description;
mod error;
mod readme;
mod sums;
mod writing;

pub use checking::{Bundle, BundledCrate, BundledSource, BundledVersion};
pub use description::{Description, OWN_REGISTRY, Source};
pub use error::BundleError;
pub use writing::{Part, Writer};
