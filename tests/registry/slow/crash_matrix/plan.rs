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
    /// A staging and a rejection do, too.
    Requests,
    /// Only a publish and a staging do.
    PublishOnly,
    /// Only a staging does.
    StageOnly,
    /// Only an approval does.
    ApproveOnly,
    /// Only a rejection does.
    RejectOnly,
    /// Only the expiry of a set does.
    ExpireOnly,
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
    /// Another file for a version that is staged already.
    Replace,
    /// A release set with versions of two crates.
    Approve,
    /// The same, while another version of one of the crates is published plainly.
    ApproveBesidePublish,
    /// A release set with a version of a crate, and a new crate. Both are then published by others.
    Reject,
    /// The same set, whose time is over.
    Expire,
}

pub const OPERATIONS: [Operation; 12] = [
    Operation::NewCrate,
    Operation::NewVersion,
    Operation::Yank,
    Operation::Unyank,
    Operation::YankAndUnyank,
    Operation::DeleteCrate,
    Operation::Stage,
    Operation::Replace,
    Operation::Approve,
    Operation::ApproveBesidePublish,
    Operation::Reject,
    Operation::Expire,
];

impl Operation {
    /// Whether it enqueues jobs.
    fn has_jobs(self) -> bool {
        !matches!(self, Self::Stage | Self::Replace | Self::Reject | Self::Expire)
    }

    fn approves(self) -> bool {
        matches!(self, Self::Approve | Self::ApproveBesidePublish)
    }

    /// Whether a version is staged afterwards.
    pub fn stages(self) -> bool {
        matches!(self, Self::Stage | Self::Replace)
    }

    /// Whether a set ends without a publish.
    pub fn gives_up(self) -> bool {
        matches!(self, Self::Reject | Self::Expire)
    }
}

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
    Point { scope: Scope::RejectOnly, ..point("reject.before_commit", "the set is rejected, not committed") },
    Point { scope: Scope::RejectOnly, ..point("reject.committed", "the rejection is committed") },
    Point { scope: Scope::ExpireOnly, ..point("expire.before_commit", "the set is expired, not committed") },
    Point { scope: Scope::ExpireOnly, ..point("expire.committed", "the expiry is committed") },
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
            Scope::All => operation.has_jobs(),
            Scope::Requests => operation != Operation::Expire,
            Scope::PublishOnly => {
                let publishes = matches!(operation, Operation::NewCrate | Operation::NewVersion);
                publishes || operation.stages() || operation == Operation::ApproveBesidePublish
            }
            Scope::StageOnly => operation.stages(),
            Scope::ApproveOnly => operation.approves(),
            Scope::RejectOnly => operation == Operation::Reject,
            Scope::ExpireOnly => operation == Operation::Expire,
            Scope::NotDeletion => operation.has_jobs() && operation != Operation::DeleteCrate,
            Scope::AbortOnly => kind == Kind::Abort && operation.has_jobs(),
        }
    }

    /// Whether a file that nobody needs any more may stay after this: it is removed when the store is tidied.
    pub fn may_leave_a_file(&self, kind: Kind) -> bool {
        kind != Kind::Stall && matches!(self.name, "stage.committed" | "reject.committed" | "expire.committed")
    }
}
