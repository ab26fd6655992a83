//! Mails about an address itself: the link that confirms it, and word to the one before it.

use serde::{Deserialize, Serialize};

use super::ready::ready;
use super::text;
use crate::database::access::users;
use crate::database::email::recipients::{self, EmailSecret, VALID_FOR};
use crate::email::EmailAddress;
use crate::jobs::Environment;
use crate::jobs::patience::BACKOFF;
use crate::queue::{Job, JobError, Outcome, Perform, Policy, Run};
use crate::upstream::smtp::{Mail, NotSent};

/// Attempts in the 24 hours in which somebody may still wait for the mail.
const ATTEMPTS: u32 = 40;

/// A mail about an address.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum SendToAddress {
    /// The link that confirms it.
    Confirmation { user_id: i32, address: String },
    /// It is no longer that of the user.
    Replaced { user_id: i32, address: String },
}

impl Job for SendToAddress {
    const KIND: &'static str = "send_to_address";
    const POLICY: Policy =
        Policy { max_attempts: 2 * ATTEMPTS, backoff: BACKOFF, is_of_others: true, ..Policy::in_queue("mail") };

    fn key(&self) -> Option<String> {
        let (Self::Confirmation { user_id, .. } | Self::Replaced { user_id, .. }) = self;
        Some(format!("user {user_id}"))
    }
}

impl Perform<Environment> for SendToAddress {
    fn perform(self, environment: &Environment, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        let (Self::Confirmation { user_id, address } | Self::Replaced { user_id, address }) = &self;
        let (smtp, registry) = ready(environment)?;
        let Some(login) = run.with_connection(|connection| users::login_of(connection, *user_id))? else {
            return Ok(Outcome { detail: Some("there is no such user".to_owned()) });
        };
        let to: EmailAddress = address.parse()?;
        // It exists in the mail alone.
        let secret = EmailSecret::random()?;
        let written = match &self {
            Self::Confirmation { .. } => {
                let waits = run.with_connection(|connection| {
                    let recipient = recipients::find(connection, *user_id)?;
                    Ok::<_, diesel::result::Error>(
                        recipient.is_some_and(|one| one.address == *address && one.confirmed_at.is_none()),
                    )
                })?;
                if !waits {
                    return Ok(Outcome { detail: Some("the address was confirmed, replaced or removed".to_owned()) });
                }
                text::confirmation(&login, &registry, secret.reveal(), VALID_FOR.num_hours())
            }
            Self::Replaced { .. } => text::replaced(&login, &registry),
        };
        let id = written.id();
        let mail = Mail { to: &to, subject: &written.subject, text: &written.text, id: &id, unsubscribe: None };
        let detail = match smtp.send(&mail) {
            Ok(()) => {
                if matches!(self, Self::Confirmation { .. }) {
                    run.with_connection(|connection| {
                        recipients::set_confirmation(connection, *user_id, address, &secret)
                    })?;
                }
                format!("sent to {login}")
            }
            Err(NotSent::Address { answer, .. }) => {
                run.with_connection(|connection| recipients::note_refused(connection, *user_id, address, &answer))?;
                format!("the address of {login} was refused: {answer}")
            }
            Err(problem) if run.attempt() >= ATTEMPTS => {
                tracing::error!(user = login, %problem, "a mail about an address is given up: it was tried for a day");
                format!("given up: {problem}")
            }
            Err(problem) => return Err(problem.into()),
        };
        Ok(Outcome { detail: Some(detail) })
    }
}
