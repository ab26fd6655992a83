//! HTTP, the only async code.

pub mod index;
