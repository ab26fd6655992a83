//! Security advisories: what they say of a crate's versions, read from OSV JSON and from RustSec's Markdown.
//!
//! The texts come from others. A document that cannot be read is an error that names the problem; nothing here panics.
//!
//! | file | what |
//! |---|---|
//! | `document` | an advisory |
//! | [`ranges`], [`interval`] | the versions that it affects |
//! | `form`, `osv`, `rustsec`, `front_matter` | how it is read |
//! | `osv_form` | one of RustSec in the form of OSV |
//! | [`draft`] | one that this registry publishes, and its form of RustSec |
//! | [`policy`] | what is done about it |
//! | [`place`] | where it comes from |

mod cvss_severity;
mod document;
pub mod draft;
mod form;
mod front_matter;
pub mod interval;
mod osv;
mod osv_form;
pub mod place;
pub mod policy;
pub mod ranges;
mod read_error;
mod rustsec;

pub use cvss_severity::Severity;
pub use document::{Advisory, is_id};
pub use form::Form;
pub use ranges::Ranges;
pub use read_error::{MAX_DOCUMENT, ReadError};
