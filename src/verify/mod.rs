//! Verification that database, index and crate files agree, and repair of what differs.
//!
//! A registry is verified while it is serving, and the database, the index and the crate store cannot be read in one
//! snapshot. So everything is checked twice. The first check is cheap and can be wrong. What it finds is checked again on
//! its own, in an order that cannot be wrong:
//!
//! 1. Read the rows.
//! 2. Read whether a job for the crate is pending. If so, the crate is *in flight* and is checked again when the job has
//!    ended.
//! 3. Read the index, or the crate file.
//! 4. Read the rows again. If any of them was written since step 1 (its stamp shows it), start over.
//!
//! Whatever was requested before step 1 was done by step 2: a job's row is deleted by the commit that ends the job, and
//! that commit also writes the rows if the job changed anything. Nothing was requested between steps 1 and 4. So what step
//! 3 reads is the result of the rows of step 1, and a difference is a real one. A crate that stays in flight longer than
//! the verification waits is reported as in flight and not as a difference: the monitor reports jobs that do not end.
//!
//! A file of the store that no version names can belong to a publish that is not accepted yet, because a publish stores its
//! file first. Such files count as differences only from a certain age on.
//!
//! A run works in pages, so that neither its memory nor a database transaction grows with the registry. It saves its
//! position after each page, and a run that was killed can resume there.
//!
//! | module | contents |
//! |---|---|
//! | `run` | a run from its first phase to its last |
//! | `phases` | one file for each phase: the first checks, page by page |
//! | `recheck` | the second checks |
//! | `repair` | the repairs |
//! | `progress` | position and report of the current run |
//! | `comparison` | comparison of a crate's rows with its index file |
//! | `crate_file`, `manifest_comparison` | reading a crate file, and comparison of its manifest with the index line |
//! | `difference`, `report`, `report_text` | what a run finds, and its output |
//! | `context`, `settings`, `throttle`, `error` | what all of them use |

mod comparison;
mod context;
mod crate_file;
mod difference;
mod error;
mod manifest_comparison;
mod phases;
mod progress;
mod recheck;
mod repair;
mod report;
mod report_text;
mod run;
mod settings;
mod throttle;

pub use difference::{Difference, Kind};
pub use error::VerifyError;
pub use repair::{Mirror, Repairs};
pub use report::{Counts, InFlight, Phase, Report};
pub use run::{Ended, Verifier};
pub use settings::{Depth, Settings, UpstreamCache, Watch};
