//! What is kept of the index and the crate files of other registries: its form on the disk, its lines, which versions are
//! shown, what people have decided, and what is removed.

pub mod advisories;
pub mod cooldown;
pub mod eviction;
pub mod kept_file;
pub mod lines;
pub mod merging;
pub mod rules;
pub mod shared_file;
pub mod verdict;
