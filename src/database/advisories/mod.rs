//! Security advisories: about crates of upstreams, and of this registry about its own.
//!
//! | file | what |
//! |---|---|
//! | [`known`] | the advisories, as they are looked up |
//! | [`search`] | the list for people |
//! | [`sources`] | where those about upstreams come from, and the last refresh |
//! | [`own`] | those of this registry about its own crates, and their revisions |
//! | [`exchange`] | the replacement of all that come from a source |

pub mod exchange;
pub mod known;
pub mod own;
pub mod search;
pub mod sources;
