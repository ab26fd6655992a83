//! Who is exposed to a version: who downloaded it, and which crates of this registry depend on it.

pub mod dependents;
mod notes;
mod report;

pub use report::{DownloadsByAddress, DownloadsByToken, Exposure, LogReach, Question, find};
