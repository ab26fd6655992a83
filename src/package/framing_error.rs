//! Why a body is not a publish request.

use super::excerpt::{Excerpt, Remark};
use super::limits::ByteSize;

/// Why a body is not a publish request.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The body is empty.
    #[error("the request has no body: send the metadata and the .crate file, as `cargo publish` does")]
    Empty,
    /// The body ends too early.
    #[error(
        "the request ends early: {part} needs {expected} bytes, but only {found} are left: send the complete request again"
    )]
    Short {
        /// The part that is incomplete.
        part: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// The bytes that are left.
        found: usize,
    },
    /// Bytes follow the `.crate` file.
    #[error("{excess} bytes follow the .crate file: the two lengths in the request must add up to its size")]
    Excess {
        /// The number of bytes.
        excess: usize,
    },
    /// The metadata is larger than the limit.
    #[error("the metadata has {}, above the limit of {}: shorten the README, which is usually the largest part", ByteSize(*.size), ByteSize(*.limit))]
    MetadataTooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The `.crate` file is larger than the limit.
    #[error("the .crate file has {}, above the limit of {}: leave files out with `exclude` in Cargo.toml (`cargo package --list` shows them), or ask the registry's operator for a higher limit", ByteSize(*.size), ByteSize(*.limit))]
    CrateTooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The metadata is not JSON.
    #[error("the metadata is not JSON: {}", Remark(&.0.to_string()))]
    Json(#[source] serde_json::Error),
    /// A field of the metadata is missing or of the wrong type.
    #[error("the metadata cannot be read at {}: {}", Excerpt(.field), Remark(.problem))]
    Field {
        /// The path of the field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}
