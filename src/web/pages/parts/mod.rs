//! What several pages have.

pub mod copy;
pub mod crate_list;
pub mod text;
pub mod time;
