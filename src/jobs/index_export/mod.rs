//! A copy of the sparse index in a bucket, from which a CDN serves it.
//!
//! A job of a queue of its own writes what changed, so no publish waits for it and an outage of the bucket stops none. A
//! schedule enqueues it after each batch of the index, one for all batches that come while it waits.
//!
//! An object must never go back to the content of an older commit. Three things could do that: two processes that export at
//! the same time, one that was frozen and resumes, and a request that timed out and arrives late.
//!
//! 1. *One exporter.* An attempt locks the row of its destination in `index_exports` until it ends, and takes a number from
//!    it, the fence, which only grows. Each object has the fence of the attempt that wrote it. An attempt that meets an object
//!    with a larger fence than its own ends, unless the database confirms that it still has the lock. It also
//!    ends when its session is lost, and at its deadline, which is before the end of the second looks: a process that resumes
//!    writes nothing. It does not begin with a mirror that is behind, and ends at an object of a later commit than its own.
//! 2. *Conditional writes.* An object is looked at and then replaced only if it is still the same (`If-Match` with its ETag, or
//!    `If-None-Match: *`). So a late request is refused if the object has changed since it was looked at. A file that changed
//!    is written again even if the object has its content already: that gives it the new fence.
//! 3. *A second look.* An ETag of S3 is a hash of the content. If the content went from A to B and back to A, the condition of
//!    a late request to write B is met again; and a deletion has no condition at all. S3 cannot exclude these two. So whatever
//!    changed in the last quarter of an hour and longer ([`HORIZON`]) is looked at again every minute: S3 refuses a request
//!    that is older than its signature may be, 15 minutes.
//!
//! The commit that is exported is recorded at the end of an attempt, in the transaction that ends its job. After a kill at any
//! point the next attempt writes the files of all commits after the recorded one once more: those that *any* of them touched,
//! since the killed attempt may have written a change that was undone meanwhile. If the history does not lead from the
//! recorded commit to the head, all files are compared with a listing of the bucket.

mod attempt;
mod comparison;
mod destination;
mod error;
mod invalidation;
mod job;
mod lag;
mod mending;
mod object;
mod parallel;
mod plan;

pub use attempt::{Done, Exporter, Progress, is_held};
pub use comparison::compare;
pub use destination::Destination;
pub use error::ExportError;
pub use invalidation::Invalidation;
pub use job::{EXPORT, ExportIndex, LIMIT};
pub use lag::Lag;
pub use mending::{Exported, look, mend, owe};
pub use plan::{Begun, HORIZON, LOOK_AGAIN, Scope, Work, begin};
