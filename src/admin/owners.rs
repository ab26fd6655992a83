//! `supercargo admin owner`.

use diesel::PgConnection;
use serde_json::json;

use super::output::{print_json, print_table, say};
use super::{AdminError, crate_name};
use crate::database::access::audit::Actor;
use crate::database::catalog::invitations::{self, Invitation, Of};
use crate::database::catalog::owners::{self, Owner};
use crate::database::catalog::ownership::{self, Change};
use crate::database::catalog::refusal;

/// The kind of a user who is not an owner yet.
const INVITED: &str = "invited";

pub fn change(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    owner: &str,
    change: Change,
) -> Result<(), AdminError> {
    let done = ownership::change(connection, &crate_name(name)?, &[owner.to_owned()], change, operator)?;
    say!("{}", done.sentence);
    Ok(())
}

/// Lists the owners and, of the kind `invited`, users with a pending invitation.
pub fn list(connection: &mut PgConnection, name: &str, as_json: bool) -> Result<(), AdminError> {
    let krate = refusal::find_crate(connection, &crate_name(name)?)??;
    let owners = owners::list_all(connection, krate.id)?.into_iter().map(|owner| match &owner {
        Owner::User(user) => ("user", user.id, owner.login(), user.name.clone()),
        Owner::Team(team) => ("team", team.id, owner.login(), None),
    });
    let invited = invitations::pending(connection, Of::Crate(krate.id))?;
    if as_json {
        let owners =
            owners.map(|(kind, id, login, name)| json!({ "kind": kind, "id": id, "login": login, "name": name }));
        let invited = invited.iter().map(|one| {
            let Invitation { invitee_id: id, invitee: login, inviter, expires_at, .. } = one;
            json!({ "kind": INVITED, "id": id, "login": login, "invited_by": inviter, "expires_at": expires_at })
        });
        return Ok(print_json(&owners.chain(invited).collect::<Vec<_>>())?);
    }
    let owners = owners.map(|(kind, id, login, _)| [id.to_string(), login, kind.to_owned()]);
    let invited = invited.into_iter().map(|one| [one.invitee_id.to_string(), one.invitee, INVITED.to_owned()]);
    print_table(["ID", "LOGIN", "KIND"], owners.chain(invited));
    Ok(())
}
