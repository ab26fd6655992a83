//! What several pages have.

pub mod advisories;
pub mod copy;
pub mod crate_head;
pub mod crate_list;
pub mod form;
pub mod found;
pub mod new_password;
pub mod pager;
pub mod plot;
pub mod text;
pub mod time;
pub mod xml;
