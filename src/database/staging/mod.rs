//! Release sets: versions that are staged, and published together or not at all.

pub mod changes;
pub mod listing;
pub mod overlay;
pub mod rules;
pub mod sets;
pub mod staged;
pub mod view;

pub use crate::database::catalog::set_name::SetName;
