//! Security advisories of this registry about its own crates.
//!
//! | file | what |
//! |---|---|
//! | [`change`] | publishing, changing and withdrawing one |
//! | [`repository`] | the git repository in which others read them |

pub mod change;
pub mod repository;
