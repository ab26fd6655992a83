//! A job queue on PostgreSQL row locks, modelled on swirl. It names no kind of job.
//!
//! **A row is a pending job, a lock on the row is a running job, deleting the row finishes it.** No status column says
//! "running", so none can be left behind: a worker that dies loses its connection, and with it its locks, within
//! milliseconds.
//!
//! Row locks alone are not enough. A job that kills its process (out of memory, a crash in C code) leaves no trace: the lock
//! disappears, the row looks untouched, and the next worker dies of it too, without end. So a claim has two steps:
//!
//! * **touch** (a transaction of its own, and for fresh rows one statement): lock due rows and skip locked ones; count the
//!   start, increment the row's `claim_no`, and move its `run_at` a short *gap* into the future; commit. From here on the
//!   attempt is recorded.
//! * **hold** (a second transaction, open while the job runs): lock the same rows again if they still have that `claim_no`,
//!   waiting for locks instead of skipping. A row with another number belongs to another worker and is dropped. Run the
//!   job, delete the row and commit. If it fails, undo what it wrote and record the failure (`undo`).
//!
//! Between the two steps the row is not locked; the gap keeps other workers away for those microseconds. If the worker dies
//! there, the row comes due again after the gap. `claim_no` only grows, which makes it a fencing token: a worker that was
//! stopped for a minute and continues can neither finish nor fail a row that was claimed after it.
//!
//! Both steps commit with `synchronous_commit` off. They are visible at once and lost only if the database itself crashes;
//! then a count is lost, or idempotent work is done again. The transaction that *enqueues* always commits to disk.
//!
//! Rows that were started twice or more are **suspects** and run alone, so that a job which kills its process does not use
//! up the attempts of the other jobs in its batch. A job at its limit moves to `dead_jobs`, where operators find it. No
//! failed job is ever dropped, and every attempt that ended, or whose worker is gone, leaves a receipt in `job_history`.
//!
//! **Order** is off unless a kind requires it. Then at most one row of each key has the `turn`, which a unique index
//! enforces for every program; the claim does not read the other rows, however many are due. The transaction that removes a
//! row passes the turn on, under a lock of the key that enqueueing takes too, so that neither misses the other. A row in
//! backoff keeps its turn and is not overtaken.
//!
//! A **time limit** is enforced three times, because a thread cannot be ended from outside and a whole process may be
//! stopped. The watch in the process ends the session of a job that runs too long, records its failure and starts another
//! thread in its place. A few seconds later the database ends a session that is silent or busy beyond the limit. Half a
//! minute later the sweep of any process finds the session that holds the row and ends it.
//!
//! The **sweep** goes through all jobs once a minute, page by page in the order of ids. It skips healthy rows and repairs
//! what no worker will: starts that were used up by processes that died, turns that no row has, and old receipts. It reports
//! jobs of unknown kinds.
//!
//! Wake-ups (LISTEN/NOTIFY from other processes, a condition variable within one) are hints. Polling alone is correct.
//!
//! | file | content |
//! |---|---|
//! | [`job`], `job_error` | a job: data, kind, policy, result; its error |
//! | [`registry`], `known_kinds` | the kinds, the batches, and the workers of each queue; the kinds without their code |
//! | [`enqueue`] | enqueueing: delay, priority, order, deduplication |
//! | [`claim`] | the statements of touch and hold |
//! | [`storage`] | the statements that end an attempt, with the state diagram |
//! | [`order`] | laps between requesters, turns within a key |
//! | [`intervention`] | operators' changes: retry, discard |
//! | [`inspection`], [`listing`] | queries of operators; lists of jobs that are filtered and followed |
//! | [`recent`] | what jobs did in the last day |
//! | [`trouble`] | queries of the monitor |
//! | [`awaited`] | queries of those who wait for a job |
//! | [`runner`] | start and stop; what its threads share is in `inner` |
//! | `worker`, `cycle`, `record` | a worker thread, and when it looks for jobs; one claim; how its jobs ended |
//! | `undo` | how the writes of a failed batch are undone before its failure is recorded, and why that is safe |
//! | `worker_pool`, `slot`, `watch` | the threads of a process; the state of one; the time limits |
//! | [`sweep`] | repairs across the installation |
//! | [`settings`], [`measures`] | a runner's times; its metrics |
//! | [`wakeup`], [`listener`], [`channels`] | signals within a process; signals between processes |
//! | [`connection`], [`session`] | the source of connections; the sessions of workers |
//!
//! `examples/queue.rs` uses all this with a job of its own.

pub mod awaited;
pub mod channels;
pub mod claim;
pub mod connection;
pub mod enqueue;
pub mod inspection;
pub mod intervention;
pub mod job;
pub mod listener;
pub mod listing;
pub mod measures;
pub mod order;
pub mod recent;
pub mod registry;
pub mod runner;
pub mod session;
pub mod settings;
pub mod storage;
pub mod sweep;
pub mod trouble;
pub mod wakeup;

mod cycle;
mod helper;
mod inner;
mod job_error;
mod known_kinds;
mod outage_log;
mod performing;
mod record;
mod runner_error;
mod slot;
mod spans;
mod undo;
mod watch;
mod worker;
mod worker_pool;
mod workers_view;

pub use connection::{ConnectionSource, Lend, LendExt};
pub use enqueue::{Enqueue, EnqueueError, MAX_KEY, announce};
pub use job::{Backoff, Duplicates, Job, JobId, Order, Outcome, Policy};
pub use job_error::JobError;
pub use known_kinds::KnownKinds;
pub use record::Drained;
pub use registry::{Batch, Member, Perform, Registry, Run, Workers};
pub use runner::{Runner, Running};
pub use runner_error::RunnerError;
pub use settings::Settings;
pub use wakeup::{Completions, Wakeups};
pub use workers_view::{QueueWorkers, WorkersView};
