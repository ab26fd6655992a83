//! Sending a user what waits, in one mail.

use std::time::Duration;

use diesel::PgConnection;
use serde::{Deserialize, Serialize};

use super::ready::{NotReady, ready};
use super::text::{self, Notice, Reader};
use crate::database::email::notices::{self, Waiting};
use crate::database::email::recipients::{self, Recipient};
use crate::email::EmailAddress;
use crate::email::address::InvalidAddress;
use crate::fault;
use crate::jobs::Environment;
use crate::jobs::patience::{ATTEMPTS, BACKOFF};
use crate::queue::{Duplicates, Enqueue, EnqueueError, Job, JobError, Order, Outcome, Perform, Policy, Run};
use crate::upstream::smtp::{Mail, NotSent};

/// Notices that one mail takes.
const PORTION: i64 = 1000;

/// Something waits for a user.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendNotices {
    pub user_id: i32,
}

impl Job for SendNotices {
    const KIND: &'static str = notices::KIND;
    /// It ends itself before its attempts are over, unless it crashes the process each time. The mail server is another program:
    /// the check `email` watches over it.
    const POLICY: Policy = Policy {
        max_attempts: 2 * ATTEMPTS,
        backoff: BACKOFF,
        order: Order::ByKey,
        duplicates: Duplicates::Keep,
        is_of_others: true,
        ..Policy::in_queue("mail")
    };

    fn key(&self) -> Option<String> {
        Some(notices::key(self.user_id))
    }
}

impl Perform<Environment> for SendNotices {
    fn perform(self, environment: &Environment, run: &mut Run<'_>) -> Result<Outcome, JobError> {
        let found = run.with_connection(|connection| notices::waiting(connection, self.user_id, PORTION))?;
        let Some(waiting) = found else {
            return Ok(detail("nothing waits, or there is no confirmed address"));
        };
        let last = waiting.rows.last().map_or(0, |(id, ..)| *id);
        let login = &waiting.login;
        let said = match send(environment, &waiting) {
            Ok(0) => format!("{login} wants none of it any more, or was disabled"),
            Ok(count) => {
                fault::point("email.sent")?;
                format!("sent {count} notices to {login}")
            }
            Err(Problem::NotSent(NotSent::Address { answer, .. })) => {
                run.with_connection(|connection| refused(connection, &waiting.recipient, &answer))?;
                tracing::warn!(
                    user = login,
                    answer,
                    "the mail server refuses the address of a user, who gets no more mail"
                );
                format!("the address of {login} was refused: {answer}")
            }
            Err(problem) if run.attempt() >= ATTEMPTS => {
                let notices = waiting.rows.len();
                tracing::error!(user = login, %problem, notices, "a mail is given up: it was tried for days");
                format!("given up: {problem}")
            }
            Err(problem) => return Err(problem.into()),
        };
        run.with_connection(|connection| self.remove(connection, last))?;
        Ok(detail(said))
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error(transparent)]
    NotSent(#[from] NotSent),
    #[error(transparent)]
    Address(#[from] InvalidAddress),
}

/// Sends what is still to be sent; returns how many notices that is.
fn send(environment: &Environment, waiting: &Waiting) -> Result<usize, Problem> {
    let sent: Vec<Notice> = waiting
        .rows
        .iter()
        .filter(|(_, kind, ..)| waiting.is_sent(kind))
        .map(|(_, kind, data, at)| Notice { kind: kind.clone(), data: data.clone(), at: *at })
        .collect();
    if sent.is_empty() {
        return Ok(0);
    }
    let (smtp, registry) = ready(environment)?;
    let key = &waiting.recipient.unsubscribe_key;
    let reader = Reader { login: &waiting.login, registry: &registry, unsubscribe_key: key };
    let written = text::about(&sent, &reader);
    let to: EmailAddress = waiting.recipient.address.parse()?;
    let (id, unsubscribe) = (written.id(), reader.unsubscribe());
    let mail =
        Mail { to: &to, subject: &written.subject, text: &written.text, id: &id, unsubscribe: Some(&unsubscribe) };
    smtp.send(&mail)?;
    Ok(sent.len())
}

fn detail(text: impl Into<String>) -> Outcome {
    Outcome { detail: Some(text.into()) }
}

fn refused(connection: &mut PgConnection, recipient: &Recipient, answer: &str) -> diesel::QueryResult<()> {
    recipients::lock(connection, &[recipient.user_id])?;
    recipients::note_refused(connection, recipient.user_id, &recipient.address, answer).map(drop)
}

impl SendNotices {
    /// Enqueues a job for a user, whose row is locked.
    pub(super) fn enqueue(self, connection: &mut PgConnection, delay: Duration) -> Result<(), EnqueueError> {
        Enqueue::new(&self).requested_by(&notices::key(self.user_id)).after(delay).insert(connection).map(drop)
    }

    /// Removes what was sent, and enqueues the job for what has come meanwhile.
    fn remove(self, connection: &mut PgConnection, last: i64) -> Result<(), EnqueueError> {
        let exists = !recipients::lock(connection, &[self.user_id])?.is_empty();
        if exists && notices::remove(connection, self.user_id, last)? {
            self.enqueue(connection, Duration::ZERO)?;
        }
        Ok(())
    }
}

/// Enqueues the jobs of users who have none although something waits.
pub fn mend(connection: &mut PgConnection) -> Result<(), EnqueueError> {
    let left = notices::without_job(connection)?;
    recipients::lock(connection, &left)?;
    // Under the locks: a job may have ended, and enqueued the next one, meanwhile.
    for user_id in notices::without_job(connection)?.into_iter().filter(|user| left.contains(user)) {
        tracing::warn!(user = user_id, "mail waited for a user without a job, which was discarded: enqueued one");
        SendNotices { user_id }.enqueue(connection, Duration::ZERO)?;
    }
    Ok(())
}
