//! The bounds that keep one client from taking what all need. Each time a client meets one it is counted; the log has one
//! line a minute for each bound, however often it is met.

use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The counter of requests and connections that met a bound.
pub const LIMITED: &str = "supercargo_http_limited_total";

/// How often the log has a line about the same bound.
const EVERY: Duration = Duration::from_secs(60);

/// A bound, by the name that it has in metrics and in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// All connections are in use; one that was idle was closed for a new one.
    IdleConnections,
    /// All connections are in use and none is idle; new ones wait.
    Connections,
    /// A client has as many connections as one may have.
    AddressConnections,
    /// A client has as many requests as one may have.
    AddressRequests,
    /// A request's body arrived too slowly.
    BodyTime,
    /// A client takes an answer too slowly.
    AnswerTime,
    /// A user has as many uploads as one may have.
    UserUploads,
    /// Uploads fill the memory that they may have.
    UploadMemory,
    /// Uploads fill the disk space that they may have.
    UploadDisk,
    /// All threads that may wait for the database or the disk are in use.
    BlockingCalls,
}

const BOUNDS: usize = Bound::BlockingCalls as usize + 1;

/// In the order of the enum.
const ALL: [Bound; BOUNDS] = [
    Bound::IdleConnections,
    Bound::Connections,
    Bound::AddressConnections,
    Bound::AddressRequests,
    Bound::BodyTime,
    Bound::AnswerTime,
    Bound::UserUploads,
    Bound::UploadMemory,
    Bound::UploadDisk,
    Bound::BlockingCalls,
];

static LOGGED: [LogLimit; BOUNDS] = [const { LogLimit::new() }; BOUNDS];

impl Bound {
    fn label(self) -> &'static str {
        match self {
            Self::IdleConnections => "idle_connections",
            Self::Connections => "connections",
            Self::AddressConnections => "connections_per_address",
            Self::AddressRequests => "requests_per_address",
            Self::BodyTime => "body_time",
            Self::AnswerTime => "answer_time",
            Self::UserUploads => "uploads_per_user",
            Self::UploadMemory => "upload_memory",
            Self::UploadDisk => "upload_disk",
            Self::BlockingCalls => "blocking_calls",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::IdleConnections => {
                "all connections are in use; closing those that are idle longest: see --max-connections"
            }
            Self::Connections => "all connections are in use and busy; new ones wait: see --max-connections",
            Self::AddressConnections => {
                "closed connections of a client that has too many: see --max-connections-per-address"
            }
            Self::AddressRequests => {
                "refused requests of a client that has too many: see --max-connections-per-address"
            }
            Self::BodyTime => "gave up requests whose bodies arrive too slowly",
            Self::AnswerTime => "gave up answers that clients take too slowly",
            Self::UserUploads => "refused publishes of a user who has too many at once",
            Self::UploadMemory => "refused publishes for want of memory: see --max-upload-memory",
            Self::UploadDisk => "refused publishes because too many are arriving: see --max-upload-memory",
            Self::BlockingCalls => "refused requests that waited too long for their turn; is the database slow?",
        }
    }

    /// Counts a request that met the bound, and logs it if the log has no line about that yet this minute. The line has
    /// the span of the request, and so its client.
    pub fn met(self) {
        if let Some(times) = self.count() {
            tracing::warn!(limit = self.label(), times, "{}", self.message());
        }
    }

    /// The same where there is no request.
    pub fn met_by(self, client: impl Display) {
        if let Some(times) = self.count() {
            tracing::warn!(limit = self.label(), times, %client, "{}", self.message());
        }
    }

    /// How often it was met since the last line of the log, if there is to be one now.
    fn count(self) -> Option<u64> {
        metrics::counter!(LIMITED, "limit" => self.label()).increment(1);
        LOGGED[self as usize].count()
    }
}

/// Explains the measurement, and begins each of its counters with 0.
pub fn describe() {
    metrics::describe_counter!(
        LIMITED,
        "Requests and connections that were refused, closed or held up because a client met a limit"
    );
    for bound in ALL {
        metrics::counter!(LIMITED, "limit" => bound.label()).absolute(0);
    }
}

/// Lets one line of the log through in a while.
struct LogLimit(Mutex<Since>);

struct Since {
    logged: Option<Instant>,
    /// Since that line.
    times: u64,
}

impl LogLimit {
    const fn new() -> Self {
        Self(Mutex::new(Since { logged: None, times: 0 }))
    }

    /// How often it happened since the last line, if there may be a line now.
    fn count(&self) -> Option<u64> {
        let mut since = self.0.lock();
        since.times += 1;
        if since.logged.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        since.logged = Some(Instant::now());
        Some(std::mem::take(&mut since.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_listed_once() {
        assert!(ALL.iter().enumerate().all(|(place, bound)| *bound as usize == place));
    }

    #[test]
    fn what_happens_often_is_one_line_with_its_count() {
        let limit = LogLimit::new();
        assert_eq!(limit.count(), Some(1));
        assert!((0..1000).all(|_| limit.count().is_none()));
        let a_minute_ago = Instant::now().checked_sub(EVERY).unwrap();
        limit.0.lock().logged = Some(a_minute_ago);
        assert_eq!(limit.count(), Some(1001));
    }
}
