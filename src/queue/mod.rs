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
//! Rows that were started twice or more are **suspects** and are run alone, so that a job which kills its process takes
//! no innocent of its batch with it to its limit. A job at its limit moves to `dead_jobs`, where an operator finds it;
//! nothing that failed is ever dropped, and every attempt that ended, or was never heard of again, leaves a receipt.
//!
//! **Order** is off unless a kind asks for it. Then each key has at most one row whose `turn` it is, and a unique index
//! holds that against every program there will be; the others are out of the claim's sight, however many they are and
//! however due. Whoever removes a row hands the turn on, under a lock of the key that those who enqueue take too, so
//! that neither can miss the other. A row in backoff keeps its turn: it is not overtaken.
//!
//! A **time limit** is kept three times over, because a thread can't be ended from outside and a process may be stopped
//! as a whole. The watch in the process ends the session of a job that runs too long, writes down its failure and puts
//! another thread in its place. A few seconds later the database would end a session that is silent or busy beyond the
//! limit. Half a minute later the sweep of whichever process leads looks for the holder of the row and ends it.
//!
//! The **sweep** goes through all jobs once a minute, page by page in the order of ids, passes healthy rows over, and
//! looks after what no worker will: starts that were used up by processes that died, turns that nobody has, kinds that
//! nobody knows, receipts that are old.
//!
//! Wake-ups (LISTEN/NOTIFY from other processes, a condition variable within one) are hints. Polling alone is correct.
//!
//! | file | what |
//! |---|---|
//! | [`job`] | what a job is: its kind, its policy, how it ends |
//! | [`registry`] | which kinds there are, which run together as a batch, how many workers a queue has |
//! | [`enqueue`] | asking for a job: delay, priority, order, deduplication |
//! | [`storage`] | every statement of a job's own life: the state diagram |
//! | [`intervention`] | what operators do: retry, discard |
//! | [`inspection`] | what operators and monitors read |
//! | [`trouble`] | what a monitor asks |
//! | [`runner`] | the start and stop of it all |
//! | `worker`, `turn`, `crew` | a thread; one claim from touch to record; all threads and the watch over them |
//! | [`sweep`] | what fell out of every other hand |
//! | [`settings`] | the times a runner lives by |
//! | [`measures`] | what is measured while it works |
//! | [`wakeup`], [`listener`] | who to wake, and how it is heard from other processes |
//! | `workers_view` | who works in this process, for whoever looks after it |
//! | [`connection`] | how the runner gets its connections |
//!
//! `examples/queue.rs` uses all this with a job of its own.

mod cycle;
mod worker_pool;

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
pub mod trouble;
pub mod wakeup;

mod performing;
mod worker;
mod workers_view;

pub use connection::{ConnectionSource, Lend, LendExt};
pub use enqueue::{Enqueue, EnqueueError, MAX_KEY, announce};
pub use job::{Backoff, Duplicates, Failure, Job, JobError, JobId, Order, Outcome, Policy};
pub use registry::{Batch, Member, Perform, Registry, Run, Workers};
pub use runner::{Drained, Runner, Running};
pub use settings::Settings;
pub use wakeup::{Completions, Wakeups};
pub use workers_view::{QueueWorkers, WorkersView};
