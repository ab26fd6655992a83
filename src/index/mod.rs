//! The git index, which knows no database.

pub mod entry;
pub mod path;
