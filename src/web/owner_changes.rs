//! Changes of owners, and answers to invitations, by the API and on pages.

use super::{ApiError, App};
use crate::database::access::caller::Caller;
use crate::database::catalog::invitation_answer::{self, Answer};
use crate::database::catalog::invitation_refusal::InvitationRefusal;
use crate::database::catalog::ownership::{self, Change, Changed};
use crate::database::catalog::refusal::ChangeRefusal;
use crate::package::CrateName;
use crate::package::characters::plain;
use crate::web::shortened::shortened;

/// How the registry adds users whom owners name.
pub fn adding(app: &App) -> Change {
    if app.settings.admission.owner_invitations { Change::Invite } else { Change::Add }
}

/// Changes the owners of a crate.
pub async fn change(
    app: &App,
    caller: Caller,
    name: CrateName,
    (logins, change): (Vec<String>, Change),
) -> Result<Changed, ApiError> {
    app.blocking(move |app| {
        let rate_limits = &app.settings.admission.rate_limits;
        let change =
            |connection: &mut _| ownership::change_as(connection, &name, &logins, change, (&caller, rate_limits));
        let done = app.pool.with(change)??;
        tracing::info!("crate" = %name, done = &*plain(&done.sentence), "changed owners");
        Ok(done)
    })
    .await
}

/// Accepts or declines the caller's invitation to own a crate.
pub async fn answer(app: &App, caller: Caller, crate_id: i32, answer: Answer) -> Result<CrateName, ApiError> {
    app.blocking(move |app| {
        let rate_limits = &app.settings.admission.rate_limits;
        let answered =
            |connection: &mut _| invitation_answer::answer_as(connection, crate_id, answer, (&caller, rate_limits));
        let name = app.pool.with(answered)??;
        tracing::info!("crate" = %name, ?answer, "answered an invitation");
        Ok(name)
    })
    .await
}

/// The refusal of a number in a path that is no number of a crate.
pub fn no_invitation(id: &str) -> ApiError {
    ChangeRefusal::from(InvitationRefusal::Unknown(shortened(id).into_owned())).into()
}
