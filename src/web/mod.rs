//! HTTP, and the only async code. A handler parses, decides, makes one call down on a thread that may block, and answers.
//! Nothing here writes the index.

pub mod api;
pub mod download_counts;
pub mod error;
pub mod index;
pub mod metrics;
pub mod openapi;
pub mod pages;
pub mod router;
pub mod state;

mod auth;
mod body;
mod views;
mod waiting;

pub use error::ApiError;
pub use router::router;
pub use state::{App, Settings};
