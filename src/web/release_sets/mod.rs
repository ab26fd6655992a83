//! Release sets for requests: who may see one, what there is to review, and how one is decided. The API and the pages use it.

mod deciding;
mod finding;
mod reviewing;

pub use deciding::{Outcome, approve, check_may_approve, check_may_reject, reject, withdraw};
pub use finding::{Part, part, read_view, set_name, view, visible};
pub use reviewing::{Review, review};
