//! The forms of advisories.

use serde_json::Value;

use super::document::Advisory;
use super::read_error::{MAX_DOCUMENT, ReadError};
use super::{osv, rustsec};

/// The forms of advisories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// <https://ossf.github.io/osv-schema/>
    Osv,
    /// TOML within Markdown, as in <https://github.com/RustSec/advisory-db>.
    RustSec,
}

impl Form {
    /// The form of a file, by its name.
    pub fn of(file_name: &str) -> Option<Self> {
        match file_name.rsplit_once('.') {
            Some((_, "json")) => Some(Self::Osv),
            Some((_, "md")) => Some(Self::RustSec),
            _ => None,
        }
    }

    pub fn read(self, bytes: &[u8]) -> Result<Advisory, ReadError> {
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(ReadError::TooLarge(bytes.len() as u64));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ReadError::NotUtf8)?;
        let read = match self {
            Self::Osv => osv::read(text)?,
            Self::RustSec => rustsec::read(text)?,
        };
        if has_nul(&read.document) {
            return Err(ReadError::Nul);
        }
        Ok(read)
    }
}

/// The database has no such text.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
