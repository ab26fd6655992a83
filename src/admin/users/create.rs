//! `supercargo admin user create`: users with their teams and tokens, all or none.

use chrono::{DateTime, Utc};
use diesel::{Connection, PgConnection};
use serde_json::json;

use super::invitation::{Invitation, RegistryAddress};
use crate::admin::output::{complain, print_json, say};
use crate::admin::{AdminError, tokens};
use crate::config::NewUsersOptions;
use crate::database::access;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::new_token::{NewToken, PlainToken};
use crate::database::access::teams::Team;
use crate::database::access::tokens::Token;
use crate::database::access::users::{self, User};
use crate::jobs::team_changes;

/// The name of the token that a user begins with.
const FIRST_TOKEN: &str = "first token";

/// A user of the call.
struct Member {
    user: User,
    /// Created by this call.
    is_new: bool,
    token: Option<(Token, PlainToken)>,
}

/// What a call has done.
struct Done {
    teams: Vec<Team>,
    /// The names of the teams that were created.
    new_teams: Vec<String>,
    members: Vec<Member>,
}

/// Creates users; with a registry, also a token for each, and prints what to forward to each.
pub fn create(
    connection: &mut PgConnection,
    operator: &Actor,
    options: &NewUsersOptions,
    registry: Option<&RegistryAddress>,
) -> Result<(), AdminError> {
    refuse_repeated(&options.logins)?;
    let token = registry.map(|_| options.expires_in.map(tokens::expiry).transpose()).transpose()?;
    let done = connection.transaction(|connection| {
        // One call at a time: two that insert the same names in another order would deadlock.
        users::lock_all(connection)?;
        let (teams, new_teams) = find_teams(connection, operator, options)?;
        let kept = existing(connection, options)?;
        let mut members = Vec::new();
        for login in &options.logins {
            let kept = kept.iter().find(|user| user.login.eq_ignore_ascii_case(login));
            let member = match kept {
                Some(user) => Member { user: user.clone(), is_new: false, token: None },
                None => create_one(connection, operator, (login, options.admin), token)?,
            };
            join(connection, operator, &member.user, &teams)?;
            members.push(member);
        }
        Ok::<_, AdminError>(Done { teams, new_teams, members })
    })?;
    match registry {
        Some(registry) if options.output.json => print_json(&described(&done, Some(registry)))?,
        None if options.output.json => print_json(&described(&done, None))?,
        Some(registry) => forward(&done, registry),
        None => sentences(&done).iter().for_each(|sentence| say!("{sentence}")),
    }
    if done.members.iter().any(|member| member.token.is_some()) {
        complain!(
            "a token is shown only this once: send each part to its user alone, in a way that others cannot read"
        );
    }
    Ok(())
}

fn refuse_repeated(logins: &[String]) -> Result<(), AdminError> {
    for (place, login) in logins.iter().enumerate() {
        if logins[..place].iter().any(|earlier| earlier.eq_ignore_ascii_case(login)) {
            return Err(AdminError::Repeated(login.clone()));
        }
    }
    Ok(())
}

/// The users who exist already, if they are to be kept.
fn existing(connection: &mut PgConnection, options: &NewUsersOptions) -> Result<Vec<User>, AdminError> {
    let mut found = Vec::new();
    for login in &options.logins {
        if let Some(user) = users::find(connection, login)? {
            user.check_active()?;
            found.push((login, user));
        }
    }
    if !options.if_missing && !found.is_empty() {
        return Err(AdminError::UsersExist(found.into_iter().map(|(login, _)| login.clone()).collect()));
    }
    Ok(found.into_iter().map(|(_, user)| user).collect())
}

/// The teams of the call, and the names of those that it created.
fn find_teams(
    connection: &mut PgConnection,
    operator: &Actor,
    options: &NewUsersOptions,
) -> Result<(Vec<Team>, Vec<String>), AdminError> {
    let (mut teams, mut created) = (Vec::new(), Vec::new());
    for name in &options.teams {
        let name = name.strip_prefix(access::teams::PREFIX).unwrap_or(name);
        let team = match access::teams::find(connection, name)? {
            Some(team) => team,
            None if options.create_team => {
                let team = team_changes::create(connection, name, operator)?;
                created.push(team.name.clone());
                team
            }
            None => return Err(AdminError::NoTeamYet(name.to_owned())),
        };
        teams.push(team);
    }
    Ok((teams, created))
}

/// Creates a user; with `token`, also a token with this expiry.
fn create_one(
    connection: &mut PgConnection,
    operator: &Actor,
    (login, admin): (&str, bool),
    token: Option<Option<DateTime<Utc>>>,
) -> Result<Member, AdminError> {
    let user = users::create(connection, login, None)?;
    users::set_admin(connection, user.id, admin)?;
    let event = Event::new(Action::UserCreate).about(&user.login).detail(json!({ "admin": admin }));
    event.record(connection, operator)?;
    let new = token.map(|expires_at| NewToken { expires_at, ..NewToken::named(FIRST_TOKEN) });
    let token = new.map(|new| tokens::create_for(connection, operator, &user, new)).transpose()?;
    Ok(Member { user: User { is_admin: admin, ..user }, is_new: true, token })
}

fn join(connection: &mut PgConnection, operator: &Actor, user: &User, teams: &[Team]) -> Result<(), AdminError> {
    for team in teams {
        users::read_to_give(connection, user.id)?.check_active()?;
        if access::teams::add_member(connection, team.id, user.id)? {
            let event = Event::new(Action::TeamMemberAdd).about(&team.name).detail(json!({ "user": user.login }));
            event.record(connection, operator)?;
        }
    }
    Ok(())
}

/// Prints what is to be forwarded on standard output, and everything else on standard error.
fn forward(done: &Done, registry: &RegistryAddress) {
    let with_token = |member: &Member| member.token.is_none();
    let others = Done { members: Vec::new(), teams: done.teams.clone(), new_teams: done.new_teams.clone() };
    sentences(&others).iter().for_each(|sentence| complain!("{sentence}"));
    for kept in done.members.iter().filter(|member| with_token(member)) {
        complain!("{}, and got no token", sentence(kept, &done.teams));
    }
    let mut separator = "";
    for member in &done.members {
        let Some((token, plain)) = &member.token else { continue };
        let (login, token, expires_at) = (&*member.user.login, plain.reveal(), token.end());
        say!("{separator}{}", Invitation { login, token, expires_at, registry }.to_string().trim_end());
        separator = "\n\n";
    }
}

/// A sentence for each thing that was done.
fn sentences(done: &Done) -> Vec<String> {
    let teams = done.new_teams.iter().map(|team| format!("created the team {team}"));
    let members = done.members.iter().map(|member| {
        let sentence = sentence(member, &done.teams);
        if !member.is_new {
            return sentence;
        }
        let login = &member.user.login;
        format!("{sentence}; create a token with `supercargo admin token create --user {login}`")
    });
    teams.chain(members).collect()
}

fn sentence(member: &Member, teams: &[Team]) -> String {
    let login = &member.user.login;
    let names: Vec<_> = teams.iter().map(|team| &*team.name).collect();
    let in_teams = if names.is_empty() { String::new() } else { format!(", a member of {}", names.join(", ")) };
    match (member.is_new, member.user.is_admin) {
        (true, true) => format!("created the admin {login}{in_teams}"),
        (true, false) => format!("created the user {login}{in_teams}"),
        (false, _) => format!("{login} already existed{}", in_teams.replacen(",", " and is", 1)),
    }
}

fn described(done: &Done, registry: Option<&RegistryAddress>) -> Vec<serde_json::Value> {
    let teams: Vec<_> = done.teams.iter().map(|team| &team.name).collect();
    let described = done.members.iter().map(|member| {
        let mut value = json!({
            "id": member.user.id, "login": member.user.login, "is_admin": member.user.is_admin,
            "created": member.is_new, "teams": teams,
        });
        if let (Some((token, plain)), Some(registry)) = (&member.token, registry) {
            value["token"] = plain.reveal().into();
            value["token_id"] = token.id.into();
            value["token_expires_at"] = json!(token.end());
            value["cargo_config"] = registry.cargo_config().into();
            value["login_command"] = RegistryAddress::login_command().into();
        }
        value
    });
    described.collect()
}
