//! How people sign in: accounts at identity providers, passwords, and links that are used once.
//!
//! | file | what |
//! |---|---|
//! | [`attempts`] | how often a sign-in may fail |
//! | [`begin`] | the beginning of a session |
//! | [`devices`] | devices that get a token, and renew it |
//! | [`identities`] | accounts at identity providers |
//! | [`links`] | links that are used once, for the first sign-in and after a lost password |
//! | [`passwords`] | the hashes of passwords |
//! | [`profile`] | what a provider says of a user: name, role, teams |
//! | [`refusal`] | why somebody cannot sign in |

pub mod attempts;
pub mod begin;
pub mod devices;
pub mod identities;
pub mod links;
pub mod passwords;
pub mod profile;
pub mod refusal;
