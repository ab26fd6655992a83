//! The git protocol: smart HTTP, read-only. Source: git's `gitprotocol-http` and `http-backend`.
//!
//! The index has exactly one git URL, without `.git` at the end: cargo identifies an index by its URL, so two URLs of
//! one index are two sources.
//!
//! The cost of a request is bounded before git starts:
//!
//! 1. Lists of references come from memory (`references`, `capabilities`).
//! 2. A fetch is read completely (`body`), parsed (`request`) and waits for a permit (`fetch_permits`): a clone for the
//!    clones before it, which do not delay fetches of what is new.
//! 3. One of a few git processes (`git_process`) writes the answer to the disk at its own pace (`spool`).
//! 4. Clients read it at their own pace (`response_body`), several of them the same answer (`answer_cache`).

mod answer_cache;
mod body;
mod capabilities;
mod context;
mod disk_budget;
pub mod endpoints;
pub mod fetch_metrics;
mod fetch_permits;
mod git_process;
mod limits;
mod packets;
mod references;
pub mod request;
mod response_body;
mod responses;
mod service;
mod spool;
mod version;

pub use capabilities::Advertised;
pub use limits::Limits;
pub(super) use responses::error_advertisement;
pub use service::GitService;
pub use version::Version;
