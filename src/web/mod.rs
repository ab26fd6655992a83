//! The web server's requests and responses; the only async code. A handler parses a request, makes one call to lower
//! layers on a blocking thread, and answers. Nothing here writes the index.

pub mod advisory_repository;
pub mod answers;
pub mod api;
pub mod bounds;
pub mod client_address;
pub mod cors;
pub mod download_counts;
pub mod download_log;
pub mod error;
pub mod extract;
pub mod fast_path;
pub mod health;
pub mod https_only;
pub mod index;
pub mod limits;
pub mod measures;
pub mod metrics;
pub mod openapi;
pub mod pages;
pub mod request_id;
pub mod router;
pub mod state;
pub mod upstreams;

mod administration;
mod base_path;
mod change_status;
mod disconnection;
mod doubled_slashes;
mod known_files;
mod lookup;
mod own_tokens;
mod owner_changes;
mod private;
mod refusals;
mod release_sets;
mod request_form;
mod shortened;
mod sources;
mod stage;
mod trusted_publishers;
mod unnamed_proxies;
mod views;

pub use client_address::{AddressBlock, ClientAddress, TrustedProxies};
pub use cors::SharedWith;
pub use error::ApiError;
pub use fast_path::FastPath;
pub use limits::address_requests::AddressRequests;
pub use limits::backlog::Backlog;
pub use limits::source_work::SourceWork;
pub use limits::status_streams::StatusStreams;
pub use limits::uploads::Uploads;
pub use request_id::RequestId;
pub use router::{Registry, operator_router, registry, router};
pub use state::{App, Settings, SignInWays};
