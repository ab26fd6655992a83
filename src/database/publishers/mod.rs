//! Trusted publishers: CI systems that publish with ID tokens instead of a token of a user.
//!
//! | file | what |
//! |---|---|
//! | [`claims`] | what the claims of ID tokens are called |
//! | [`origin`] | what they tell about a version |
//! | [`issuers`] | whose ID tokens are accepted |
//! | [`rule`] | what the claims of an ID token have to be |
//! | [`configurations`] | who may publish what |
//! | [`grants`] | the right of a token from an exchange |
//! | [`exchange`] | ID tokens that were exchanged, and what they were exchanged for |

pub mod claims;
pub mod configurations;
pub mod exchange;
pub mod grants;
pub mod issuers;
pub mod origin;
pub mod rule;
