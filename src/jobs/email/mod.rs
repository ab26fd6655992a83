//! Mail to users. The relay of what happened, which also serves webhooks, notes for each user of what to send mail; a job of the user
//! sends what waits, in one mail.

pub mod concerned;
pub mod configure;
pub mod send_notices;
pub mod send_to_address;
pub mod text;

mod ready;

pub use send_notices::SendNotices;
pub use send_to_address::SendToAddress;
