//! Proof that database, index and crate files agree, and what restores the agreement.
//!
//! A registry is looked at while it is being served, and database, index and store can't be read in one snapshot. So there
//! are two looks. The first one is cheap and may be wrong. What it suspects is looked at again, alone, in an order that can't
//! be wrong:
//!
//! 1. read the rows;
//! 2. ask whether a job is owed for the crate. If so it is *in flight*, and is looked at once more when the job has ended;
//! 3. read the index, or the crate file;
//! 4. read the rows again. If any of them was written in between, which its stamp tells, begin anew.
//!
//! Whatever was asked for before 1 was done by 2, since a job's row vanishes in the commit that ends it, and that commit
//! writes the rows if it changed anything. Nothing was asked for between 1 and 4. So what is read in 3 is what the rows of 1
//! led to, and a difference is one. What stays in flight for longer than is waited for is told as being in flight, and is no
//! difference: the monitor looks after jobs that don't end.
//!
//! A file of the store that no version names may belong to a publish that is not yet accepted, because the file is stored
//! first: such files count from a certain age on.
//!
//! Everything goes page by page, so that neither memory nor a database transaction grows with the registry, and where a run
//! stands is noted after each page: a run that was killed can go on there.

mod comparison;
mod crates;
mod dead_jobs;
mod difference;
mod files;
mod index_files;
mod repair;
mod repository;
mod restore;
mod run;
mod standing;
mod telling;
mod throttle;

pub use difference::{Difference, Kind};
pub use repair::{Mirror, Repairs};
pub use run::{Depth, Ended, Settings, Verifier, VerifyError, Watch};
pub use standing::{Counts, InFlight, Phase, Report};
