//! Files that hold a secret.

use std::path::Path;

use crate::monitor::error::MonitorError;

/// A file with a secret, and the option that names it.
pub struct SecretFile<'a> {
    pub path: &'a Path,
    pub flag: &'static str,
    /// What the secret is.
    pub what: &'static str,
}

impl SecretFile<'_> {
    /// The content of the file without surrounding whitespace.
    pub fn read(&self) -> Result<String, MonitorError> {
        let text = std::fs::read_to_string(self.path).map_err(|source| MonitorError::Secret {
            flag: self.flag,
            path: self.path.display().to_string(),
            source,
        })?;
        let text = text.trim();
        if text.is_empty() {
            return Err(self.invalid("it is empty"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.invalid("it must be one word of ASCII characters"));
        }
        Ok(text.to_owned())
    }

    pub fn invalid(&self, problem: &'static str) -> MonitorError {
        MonitorError::InvalidSecret { flag: self.flag, path: self.path.display().to_string(), what: self.what, problem }
    }
}
