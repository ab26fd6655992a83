//! What a mail needs of the process that sends it.

use crate::jobs::Environment;
use crate::upstream::smtp::Smtp;

/// The mail server and the registry's URL, for a job of a process that may have none.
pub(super) fn ready(environment: &Environment) -> Result<(&Smtp, String), NotReady> {
    let smtp = environment.smtp.as_ref().ok_or(NotReady::NoServer)?;
    let registry = environment.registry_url().ok_or(NotReady::NoUrl)?;
    Ok((smtp, registry.trim_end_matches('/').to_owned()))
}

/// Why no mail can be sent at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReady {
    #[error(
        "this process has no mail server: start every `serve` and `worker` with the same --smtp-url and --email-from"
    )]
    NoServer,
    #[error("the registry's URL is not known: its index has no config.json yet")]
    NoUrl,
}
