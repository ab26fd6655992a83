//! The limits that keep one client from using what all clients need, as metrics and log lines.
//!
//! Each request or connection that reaches a limit is counted; the log has at most one line a minute for each limit.

use std::fmt::Display;

use crate::web::limits::log_limit::LogLimit;

/// The counter of requests and connections that reached a limit.
pub const LIMITED: &str = "supercargo_http_limited_total";

/// A limit, by its name in metrics and in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// All connections are in use; an idle one was closed for a new one.
    IdleConnections,
    /// All connections are in use and none is idle; new ones wait.
    Connections,
    /// A client has the most connections that one client may have.
    AddressConnections,
    /// A client has the most requests in progress that one client may have.
    AddressRequests,
    /// A request's body arrived too slowly.
    BodyTime,
    /// A client reads an answer too slowly.
    AnswerTime,
    /// A user has the most uploads in progress that one user may have.
    UserUploads,
    /// Uploads use all the memory that they may have.
    UploadMemory,
    /// Uploads use all the disk space that they may have.
    UploadDisk,
    /// All threads that may wait for the database or the disk are in use.
    BlockingCalls,
    /// Too many jobs of the index are pending.
    Backlog,
    /// A client, or all of them together, asks for too many sources and differences.
    SourceWork,
    /// A client, or all of them together, follows too many versions.
    StatusStreams,
}

const BOUNDS: usize = Bound::StatusStreams as usize + 1;

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
    Bound::Backlog,
    Bound::SourceWork,
    Bound::StatusStreams,
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
            Self::Backlog => "backlog",
            Self::SourceWork => "source_work",
            Self::StatusStreams => "status_streams",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::IdleConnections => {
                "all connections are in use, closed those that were idle longest: see --max-connections"
            }
            Self::Connections => "all connections are in use and none is idle, new ones wait: see --max-connections",
            Self::AddressConnections => {
                "closed connections of a client that has too many: see --max-connections-per-address"
            }
            Self::AddressRequests => {
                "refused requests of a client that has too many in progress: see --max-connections-per-address"
            }
            Self::BodyTime => "cancelled requests whose bodies arrived too slowly",
            Self::AnswerTime => "cut off clients that read their answers too slowly",
            Self::UserUploads => "refused publishes of a user who has too many in progress",
            Self::UploadMemory => "refused publishes because uploads use all their memory: see --max-upload-memory",
            Self::UploadDisk => "refused publishes because uploads use all their disk space: see --max-upload-memory",
            Self::BlockingCalls => "refused requests that waited too long for a thread: the database may be slow",
            Self::SourceWork => "refused requests for sources and differences that would take too long",
            Self::StatusStreams => "refused streams of clients that follow the status of versions; their pages poll",
            Self::Backlog => {
                "refused publishes and yanks because too many jobs are pending: see --max-pending-jobs and supercargo jobs list"
            }
        }
    }

    /// Counts a request that reached the limit, and writes a log line if one is due. The line is in the span of the
    /// request, which has its client.
    pub fn met(self) {
        if let Some(times) = self.count() {
            tracing::warn!(limit = self.label(), times, "{}", self.message());
        }
    }

    /// Like [`Bound::met`], where there is no span of a request.
    pub fn met_by(self, client: impl Display) {
        if let Some(times) = self.count() {
            tracing::warn!(limit = self.label(), times, %client, "{}", self.message());
        }
    }

    /// Counts an event. If a log line is due, gives the number of events since the last one.
    fn count(self) -> Option<u64> {
        metrics::counter!(LIMITED, "limit" => self.label()).increment(1);
        LOGGED[self as usize].count()
    }
}

/// Describes the counter and sets it to 0 for every limit.
pub fn describe() {
    metrics::describe_counter!(LIMITED, "Requests and connections refused, closed or delayed by a limit");
    for bound in ALL {
        metrics::counter!(LIMITED, "limit" => bound.label()).absolute(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_listed_once() {
        assert!(ALL.iter().enumerate().all(|(place, bound)| *bound as usize == place));
    }
}
