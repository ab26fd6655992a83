//! The files of packages for requests: the cache of packs, what was rendered from them, and the limit on both. The API and
//! the pages use it.

mod kept;
mod reading;
mod store;

pub use kept::Fragment;
pub use reading::{compare, fragment, fragment_of_both, open, read};
pub use store::{Package, Sources, two_versions};
