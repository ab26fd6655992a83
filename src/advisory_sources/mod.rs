//! Where advisories about upstreams come from: a git repository or a directory, which is read anew from time to time.
//!
//! Neither is signed. So what is read is checked by its shape, a file that cannot be read leaves the former one in place, and a refresh
//! after which most of what is known would be gone is refused.

mod reading;
mod refresh;

pub use reading::{Found, Skipped, SourceError};
pub use refresh::{MOST, Outcome, RefreshError, Refresher};
