//! Webhooks: receivers to which events are sent.
//!
//! | file | what |
//! |---|---|
//! | [`endpoints`] | the webhooks themselves |
//! | [`outbox`] | what happened, until it is passed on |
//! | [`deliveries`] | events on their way to webhooks, and there |

pub mod deliveries;
pub mod endpoints;
pub mod outbox;
