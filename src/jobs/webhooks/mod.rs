//! Webhooks. A change writes a row into the outbox, in its own transaction; when the index shows the change, the relay makes an
//! event of it, and puts it behind the others of each webhook that receives it; a job for each delivers it, in that order.

pub mod configure;
pub mod deliver;
pub mod event;
pub mod relay;
pub mod rights;

mod given;
mod record;

pub use deliver::DeliverWebhook;
