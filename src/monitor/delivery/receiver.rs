//! The interface of receivers.

use crate::monitor::event::Event;
use crate::monitor::http::{Answer, Http};

/// Characters of an error response that are kept.
const EXCERPT: usize = 200;

/// A service that is paged.
pub trait Receiver: Send {
    /// The name in the state file.
    fn name(&self) -> &'static str;
    /// Sends one event. An event that fails is sent again later.
    fn send(&self, http: &Http, event: &Event) -> Result<(), DeliveryError>;
}

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("no answer: {0}")]
    NoAnswer(#[source] Box<ureq::Error>),
    #[error("the answer was {status}: {text}")]
    Rejected { status: u16, text: String },
    #[error("cannot write the event as JSON")]
    Json(#[from] serde_json::Error),
}

impl From<ureq::Error> for DeliveryError {
    fn from(error: ureq::Error) -> Self {
        Self::NoAnswer(Box::new(error))
    }
}

/// Success for a status from 200 to 299.
pub fn check_status(answer: Answer) -> Result<(), DeliveryError> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let text = answer.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
    Err(DeliveryError::Rejected { status: answer.status, text })
}
