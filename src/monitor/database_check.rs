//! Whether the database answers; and if it is the private one and does not, what its log says.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::MonitorError;
use super::finding::{Finding, Severity};
use crate::config::StorageOptions;
use crate::config::storage::DataDir;
use crate::postgres::embedded;

const DATABASE: &str = "database";

/// Which database it is. The private one is looked for each time: where it listens may change with a restart.
pub(super) struct Source {
    data_dir: DataDir,
    /// The operator's own database; None for the private one.
    url: Option<String>,
    time_limit: Duration,
}

impl Source {
    pub(super) fn of(options: &StorageOptions, time_limit: Duration) -> Result<Self, MonitorError> {
        let data_dir = options.data_dir().map_err(MonitorError::DataDir)?;
        Ok(Self { data_dir, url: options.database_url(), time_limit })
    }

    pub(super) fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// A connection on which nothing lasts longer than the time limit; or what is wrong.
    pub(super) fn connect(&self) -> Result<PgConnection, Box<Finding>> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => match embedded::attach(self.data_dir()) {
                Ok(Some(url)) => url,
                Ok(None) => return Err(self.away("the private PostgreSQL is not running".to_owned())),
                Err(error) => return Err(self.away(format!("the private PostgreSQL can't be looked for: {error}"))),
            },
        };
        let seconds = self.time_limit.as_secs();
        let connected = PgConnection::establish(&with_limit(&url, seconds));
        let mut connection = connected.map_err(|error| self.away(format!("the database can't be reached: {error}")))?;
        connection
            .batch_execute(&format!(
                "SET application_name = 'supercargo monitor'; SET statement_timeout = '{seconds}s'; SET lock_timeout = '{seconds}s'"
            ))
            .map_err(|error| self.away(format!("the database does not answer: {error}")))?;
        Ok(connection)
    }

    fn away(&self, why: String) -> Box<Finding> {
        // libpq breaks its messages into lines.
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let finding = Finding::new(DATABASE, Severity::Critical, why);
        match self.url.is_none().then(|| embedded::last_words(self.data_dir())).flatten() {
            Some(log) => Box::new(finding.with(json!({ "log": log }))),
            None => Box::new(finding),
        }
    }
}

/// What the URL says itself comes first in libpq only if it comes last in the URL; here this limit is to count.
fn with_limit(url: &str, seconds: u64) -> String {
    if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
        return format!("{url} connect_timeout={seconds}");
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}connect_timeout={seconds}&tcp_user_timeout={}", seconds * 1000)
}

pub(super) fn reachable() -> Finding {
    Finding::new(DATABASE, Severity::Ok, "the database answers")
}
