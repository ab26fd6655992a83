//! The operator's settings of documentation.

use crate::docs_archive::Limits;

/// The settings.
#[derive(Clone, Debug, Default)]
pub struct DocsSettings {
    /// The URL of its own host, without a slash at its end.
    pub url: Option<String>,
    pub limits: Limits,
}
