//! What is tried: points, operations and kinds of fault.

use std::time::Duration;

/// A step at which something goes wrong.
pub struct Point {
    /// As the program calls it.
    pub name: &'static str,
    /// When it is passed, for the table.
    pub when: &'static str,
    scope: Scope,
    /// Only with a remote is it passed.
    pub at_remote: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Every operation with jobs passes it.
    All,
    /// A staging does, too.
    Requests,
    /// Only a publish and a staging do.
    PublishOnly,
    /// Only a staging does.
    StageOnly,
    /// Only an approval does.
    ApproveOnly,
    /// A deletion does not: it writes no file.
    NotDeletion,
    /// There is nothing left that could fail or stall there.
    AbortOnly,
}

/// What is asked of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    NewCrate,
    NewVersion,
    Yank,
    Unyank,
    YankAndUnyank,
    DeleteCrate,
    /// A version of a crate, in a release set.
    Stage,
    /// A release set with versions of two crates.
    Approve,
}

pub const OPERATIONS: [Operation; 8] = [
    Operation::NewCrate,
    Operation::NewVersion,
    Operation::Yank,
    Operation::Unyank,
    Operation::YankAndUnyank,
    Operation::DeleteCrate,
    Operation::Stage,
    Operation::Approve,
];

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Abort,
    Error,
    Stall,
}

pub const KINDS: [Kind; 3] = [Kind::Abort, Kind::Error, Kind::Stall];

/// Jobs may run so long here, and where they talk to a remote.
const TIME_LIMIT: Duration = Duration::from_millis(1500);
const TIME_LIMIT_AT_REMOTE: Duration = Duration::from_secs(5);
/// A client waits so long for an answer when something stalls.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(1);

const fn point(name: &'static str, when: &'static str) -> Point {
    Point { name, when, scope: Scope::All, at_remote: false }
}

/// In the order in which a request and its job pass them.
pub const POINTS: &[Point] = &[
    Point { scope: Scope::Requests, ..point("request.read", "the request is read") },
    Point { scope: Scope::PublishOnly, ..point("request.file_stored", "the crate file is stored") },
    Point { scope: Scope::StageOnly, ..point("stage.before_commit", "the version is staged, not committed") },
    Point { scope: Scope::StageOnly, ..point("stage.committed", "the staged version is committed") },
    Point { scope: Scope::ApproveOnly, ..point("approve.examined", "the set's files are examined") },
    Point { scope: Scope::ApproveOnly, ..point("approve.crates_locked", "the set's crates are locked") },
    point("request.before_commit", "row and job are written, not committed"),
    point("request.committed", "row and job are committed"),
    Point { scope: Scope::AbortOnly, ..point("request.answered", "the answer has left") },
    point("queue.touched", "the start is counted, the rows not yet held"),
    point("queue.held", "the rows are held"),
    point("job.head_read", "the index's head is read"),
    point("job.desired_read", "the wanted rows are read"),
    Point { scope: Scope::NotDeletion, ..point("index.blob", "the blob is made") },
    point("index.tree", "the trees are made"),
    point("index.commit", "the commit is made"),
    point("index.pack", "the pack is on the disk"),
    point("index.ref", "the branch has moved"),
    Point { at_remote: true, ..point("index.before_push", "the remote is not told yet") },
    Point { at_remote: true, ..point("index.pushed", "the remote has it, the branch here not") },
    Point { at_remote: true, ..point("job.remote_written", "remote and branch have it") },
    point("job.crates_locked", "the crates are locked, the index read again"),
    point("job.effective_noted", "the effective state is written"),
    point("queue.recorded", "all is written, not committed"),
    point("queue.committed", "all is committed, nobody told"),
    point("description.search_written", "the search document is written, not committed"),
];

impl Point {
    /// How long a job may run.
    pub fn time_limit(&self) -> Duration {
        if self.at_remote { TIME_LIMIT_AT_REMOTE } else { TIME_LIMIT }
    }

    /// What is armed. What stalls does so for longer than the job may run and the client waits.
    pub fn action(&self, kind: Kind) -> String {
        match kind {
            Kind::Abort => "abort".to_owned(),
            Kind::Error => "error".to_owned(),
            Kind::Stall => format!("stall({}ms)", (self.time_limit() + Duration::from_millis(2500)).as_millis()),
        }
    }

    /// Whether a job is performed there, so that one that stalls is over its time limit.
    pub fn is_performed(&self) -> bool {
        self.name == "queue.held" || self.name.starts_with("job.") || self.name.starts_with("index.")
    }

    /// Whether the operation passes the point, and the kind of fault means something there.
    pub fn meets(&self, operation: Operation, kind: Kind) -> bool {
        match self.scope {
            Scope::All => operation != Operation::Stage,
            Scope::Requests => true,
            Scope::PublishOnly => {
                matches!(operation, Operation::NewCrate | Operation::NewVersion | Operation::Stage)
            }
            Scope::StageOnly => operation == Operation::Stage,
            Scope::ApproveOnly => operation == Operation::Approve,
            Scope::NotDeletion => !matches!(operation, Operation::DeleteCrate | Operation::Stage),
            Scope::AbortOnly => kind == Kind::Abort && operation != Operation::Stage,
        }
    }
}
