//! Security advisories.
//!
//! | file | what |
//! |---|---|
//! | [`known`] | the advisories, as they are looked up |
//! | [`search`] | the list for people |
//! | [`sources`] | where those about upstreams come from, and the last refresh |
//! | [`exchange`] | the replacement of all that come from a source |

pub mod exchange;
pub mod known;
pub mod search;
pub mod sources;
