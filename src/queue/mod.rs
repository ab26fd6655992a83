//! A job queue on PostgreSQL row locks, in the manner of swirl. It knows no job by name.
//!
//! **Existence of the row is the debt, a lock on the row is the work, deletion is the receipt.** No status column says
//! "running", so none can be left behind: a worker that dies loses its connection, and with it its locks, within
//! milliseconds.
//!
//! A bare row lock has one hole. A job that kills its process (out of memory, a fault in C code) leaves no trace: the
//! lock vanishes, the row looks untouched, and the next worker dies of it too, for ever. So a claim has two steps:
//!
//! * **touch** (a transaction of its own): lock due rows, skipping what others hold; count the start, raise the row's
//!   `claim_no`, and move its `run_at` a short *gap* into the future; commit. From here on the attempt is on record.
//! * **hold** (a second transaction, open while the job runs): lock the same rows again under the `claim_no` just
//!   written, waiting for the lock instead of skipping. What no longer carries that number belongs to somebody else
//!   and is dropped. Run, then delete the row or write down why not, and commit.
//!
//! Between the two steps nobody holds the lock; the gap is what keeps other workers away for those microseconds. If the
//! worker dies there, the row comes due again when the gap is over. `claim_no` only grows, which makes it the fence:
//! a worker that was stopped for a minute and wakes up can neither finish nor fail a row that was claimed after it.
//!
//! Both steps commit with `synchronous_commit` off. They are visible at once and lost only if the database itself
//! crashes; what is lost then is a count, or idempotent work that is done again. The transaction that *enqueues* is the
//! promise and is never treated so.
//!
//! Rows that were started twice or more without an end are **suspects** and are run alone, so that a job which kills
//! its process takes no innocent of its batch with it to its limit. A job at its limit moves to `dead_jobs`, where an
//! operator finds it; nothing that failed is ever dropped.
//!
//! Wake-ups (LISTEN/NOTIFY from other processes, a condition variable within one) are hints. Polling alone is correct.
//!
//! | file | what |
//! |---|---|
//! | [`job`] | what a job is: its kind, its policy, how it ends |
//! | [`registry`] | which kinds there are, and which run together as a batch |
//! | [`storage`] | every statement that changes a row: the state diagram |
//! | [`inspection`] | what an operator reads |
//! | [`runner`] | claim, perform, record; threads and shutdown |
//! | [`wakeup`], [`listener`] | who to wake, and how it is heard from other processes |
//! | [`connection`] | how the runner gets its connections |

pub mod connection;
pub mod enqueue;
pub mod inspection;
pub mod intervention;
pub mod job;
pub mod listener;
pub mod measures;
pub mod registry;
pub mod runner;
pub mod settings;
pub mod storage;
pub mod sweep;
pub mod wakeup;

mod crew;
mod performing;
mod turn;

pub use connection::{ConnectionSource, Lend, LendExt};
pub use enqueue::{Enqueue, EnqueueError};
pub use job::{Backoff, Duplicates, Job, JobError, JobId, Order, Outcome, Policy};
pub use registry::{Batch, Member, Perform, Registry, Run, Workers};
pub use runner::{Drained, Runner, Running};
pub use settings::Settings;
pub use wakeup::{Completions, Wakeups};
