//! The web API of cargo, one file an endpoint.

pub mod audit;
pub mod deletion;
pub mod download;
pub mod owners;
pub mod publish;
pub mod tokens;
pub mod version;
pub mod yank;

mod crate_file;
mod input;
mod output;
mod path;

use self::input::{ApiQuery, json_body};
use self::output::{Empty, Errors};
use self::path::ApiPath;
use crate::package::{CrateName, Version};
use crate::web::ApiError;

/// A crate's name in a path. One that can't be a name can't be a crate.
fn crate_name(text: &str) -> Result<CrateName, ApiError> {
    text.parse().map_err(|_| no_such_crate(text))
}

/// A version in a path.
fn version(name: &CrateName, text: &str) -> Result<Version, ApiError> {
    text.parse().map_err(|_| no_such_version(name, text))
}

fn no_such_crate(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no crate `{}` here", shortened(name)))
}

fn no_such_version(name: &CrateName, version: &str) -> ApiError {
    ApiError::not_found(format!("the crate `{name}` has no version {}", shortened(version)))
}

/// As much of a client's own text as an error repeats.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
