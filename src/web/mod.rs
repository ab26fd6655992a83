//! HTTP, the only async code.
