//! Trusted publishing: CI systems publish with ID tokens instead of a token of a user.
//!
//! | file | what |
//! |---|---|
//! | [`configure`] | who may publish what |
//! | [`exchange`] | an ID token becomes a token of this registry for half an hour |

pub mod configure;
pub mod exchange;
