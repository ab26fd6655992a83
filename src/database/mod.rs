//! The registry's tables.
