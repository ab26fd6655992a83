//! HTTP, and the only async code. A handler parses, decides, makes one call down on a thread that may block, and answers.
//! Nothing here writes the index.

pub mod api;
pub mod client_address;
pub mod download_counts;
pub mod error;
pub mod health;
pub mod https_only;
pub mod index;
pub mod metrics;
pub mod openapi;
pub mod pages;
pub mod request_id;
pub mod router;
pub mod state;

mod auth;
mod body;
mod conditions;
mod hanging_up;
mod private;
mod views;
mod waiting;

pub use client_address::{ClientAddress, TrustedProxies};
pub use error::ApiError;
pub use request_id::RequestId;
pub use router::router;
pub use state::{App, Settings};
