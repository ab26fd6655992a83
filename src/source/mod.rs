//! The files of packages, for reading one by one: the source browser, the diffs and what they need to know of a package.
//!
//! A `.crate` file is a gzipped tar, in which a file is found only by decompressing all that comes before it. So the first
//! request for a version reads its crate file once, as a stream, and writes a *pack*: the contents of all files one after
//! the other, cut into blocks that are compressed each for itself, and a listing with every file's place in them. After
//! that, a file costs the blocks that it is in. Nothing is unpacked: there is no file or directory named by what a package
//! has in it, and a path of a request is only ever looked up in the listing.
//!
//! Packs are a cache on the disk, bounded in bytes, which may be removed at any time:
//!
//! * A pack gets its name, the checksum of the crate file, when it is complete. It is not flushed: a pack that is found cut
//!   off or damaged, as after a power failure, is removed and made again. Its listing and each block have a checksum.
//! * An unfinished pack is locked by the process that writes it. The kernel releases that lock with the process, so one that
//!   can be locked is the leftover of a killed process, and the next one that makes a pack removes it.
//! * Several processes can share the directory: each reads what it has opened, even if another one removes its name.
//!
//! Memory: the listings of the packages in use, up to a limit together; a block for each request that reads or makes a pack.

mod cache;
pub mod comparison;
mod error;
mod form;
mod listing;
mod making;
mod pack;
mod package;
#[cfg(test)]
mod tests;

pub use cache::{PackageId, SourceCache};
pub use error::SourceError;
pub use form::Form;
pub use listing::{Child, FileFacts, Listing};
pub use package::SourcePackage;
