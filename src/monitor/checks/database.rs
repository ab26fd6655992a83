//! The check of the database: reachable. For an unreachable embedded PostgreSQL the finding has the end of its log.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::json;

use crate::checks::finding::{Finding, Severity};
use crate::config::StorageOptions;
use crate::config::storage::DataDir;
use crate::monitor::error::MonitorError;
use crate::postgres::embedded;
use crate::postgres::url::with_limit;

const DATABASE: &str = "database";

/// The database to connect to. An embedded PostgreSQL is located each time, because a restart can change its address.
pub struct Source {
    data_dir: DataDir,
    /// The external database; None for the embedded one.
    url: Option<String>,
    time_limit: Duration,
}

impl Source {
    pub fn of(options: &StorageOptions, time_limit: Duration) -> Result<Self, MonitorError> {
        let data_dir = options.data_dir().map_err(MonitorError::DataDir)?;
        Ok(Self { data_dir, url: options.database_url(), time_limit })
    }

    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// Opens a connection on which the time limit holds for every statement. The error is the finding.
    pub fn connect(&self) -> Result<PgConnection, Box<Finding>> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => match embedded::attach(self.data_dir()) {
                Ok(Some(url)) => url,
                Ok(None) => return Err(self.unreachable("the embedded PostgreSQL is not running".to_owned())),
                Err(error) => return Err(self.unreachable(format!("cannot locate the embedded PostgreSQL: {error}"))),
            },
        };
        let seconds = self.time_limit.as_secs();
        let connected = PgConnection::establish(&with_limit(&url, seconds));
        let mut connection =
            connected.map_err(|error| self.unreachable(format!("cannot connect to the database: {error}")))?;
        connection
            .batch_execute(&format!(
                "SET application_name = 'supercargo monitor'; SET statement_timeout = '{seconds}s'; SET lock_timeout = '{seconds}s'"
            ))
            .map_err(|error| self.unreachable(format!("the database does not answer: {error}")))?;
        Ok(connection)
    }

    fn unreachable(&self, why: String) -> Box<Finding> {
        // libpq's messages have line breaks.
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let finding = Finding::new(DATABASE, Severity::Critical, why);
        match self.url.is_none().then(|| embedded::last_words(self.data_dir())).flatten() {
            Some(log) => Box::new(finding.with(json!({ "log": log }))),
            None => Box::new(finding),
        }
    }
}

pub fn reachable() -> Finding {
    Finding::new(DATABASE, Severity::Ok, "the database answers")
}
