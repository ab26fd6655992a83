//! Health checks of a registry, and pages when it is unhealthy.
//!
//! A **round** runs every check once; each check returns a [`Finding`](crate::checks::finding::Finding). A check is *skipped* if it depends
//! on something that has a check of its own and is unreachable. A skipped check neither opens nor ends an incident. So an
//! outage of the database is one page and not one for each check.
//!
//! An **incident** starts when a check finds a problem in several rounds in a row, and ends when it finds none in as many.
//! Its key is the installation's name and the check. Each incident is two **events**, a trigger and a resolve. An event is
//! first written to the state file, once for each receiver, in the same write that opens or ends the incident. Then it is
//! sent, in the order of the file, and removed when the receiver has accepted it. So a monitor that is killed at any point
//! neither loses an event nor creates one twice. It cannot know whether a receiver accepted an event if it was killed
//! before the answer arrived: it sends that event again with the same key and id, so that the receiver can drop it.
//!
//! | module | contents |
//! |---|---|
//! | [`checks`] | a round of all checks, and the checks that only the monitor has; the others are in [`crate::checks`] |
//! | [`report`] | the output of a round |
//! | [`incidents`] | the rules that turn findings into events |
//! | [`event`] | what is sent to receivers |
//! | [`state`] | the state file |
//! | [`delivery`] | the receivers, and delivery of events to them |
//! | [`http`] | requests with time limits |

pub mod checks;
pub mod delivery;
mod error;
pub mod event;
pub mod http;
pub mod incidents;
pub mod report;
pub mod state;

pub use error::MonitorError;

/// The time limit of each check, and of each request to a receiver.
pub const CHECK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
