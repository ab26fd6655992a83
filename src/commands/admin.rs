//! `supercargo admin`.

use crate::admin;
use crate::config::{
    AdminCommand, CrateCommand, EmailCommand, NewUsersOptions, OwnerCommand, RoleName, SignInLinkOptions, TeamCommand,
    TokenCommand, UserCommand, VersionCommand,
};
use crate::database::access::audit::Actor;
use crate::database::access::role::Role;
use crate::database::catalog::ownership::Change;
use crate::jobs::team_changes::Membership;
use crate::jobs::yank::YankState;
use crate::process::operator_command::{on, operator};
use crate::process::registry_address::registry_address;
use crate::process::{CommandError, Storage};
use crate::upstream::smtp::Smtp;

pub(super) fn admin(command: AdminCommand) -> Result<(), CommandError> {
    let operator = operator();
    match command {
        AdminCommand::User(command) => user(command, &operator),
        AdminCommand::Email(command) => email(command, &operator),
        AdminCommand::Token(command) => token(command, &operator),
        AdminCommand::Team(command) => team(command, &operator),
        AdminCommand::Owner(command) => owner(command, &operator),
        AdminCommand::Crate(command) => of_crate(command, &operator),
        AdminCommand::Version(command) => version(command, &operator),
        AdminCommand::Import(options) => super::import::import(&options),
        AdminCommand::Audit(options) => on(&options.storage, |connection| admin::audit::list(connection, &options)),
    }
}

fn user(command: UserCommand, operator: &Actor) -> Result<(), CommandError> {
    match command {
        UserCommand::Create(options) => create_users(&options, operator),
        UserCommand::Promote { name, storage } => {
            on(&storage, |connection| admin::users::set_admin(connection, operator, &name, true))
        }
        UserCommand::Demote { name, storage } => {
            on(&storage, |connection| admin::users::set_admin(connection, operator, &name, false))
        }
        UserCommand::Role { name, role, storage } => {
            let role = match role {
                RoleName::Member => Role::Member,
                RoleName::Auditor => Role::Auditor,
                RoleName::ReadOnly => Role::ReadOnly,
                RoleName::Service => Role::Service,
            };
            on(&storage, |connection| admin::users::set_role(connection, operator, &name, role))
        }
        UserCommand::SignInLink(options) => sign_in_link(&options, operator),
        UserCommand::SignOut { name, storage } => {
            on(&storage, |connection| admin::users::sign_out(connection, operator, &name))
        }
        UserCommand::Disable { name, storage } => {
            on(&storage, |connection| admin::users::leave::disable(connection, operator, &name))
        }
        UserCommand::Enable { name, storage } => {
            on(&storage, |connection| admin::users::leave::enable(connection, operator, &name))
        }
        UserCommand::Remove { name, to, storage } => {
            on(&storage, |connection| admin::users::leave::remove(connection, operator, &name, &to))
        }
        UserCommand::List { output, storage } => on(&storage, |connection| admin::users::list(connection, output.json)),
    }
}

/// The address is read before users are created, so that a call that cannot print it changes nothing.
fn create_users(options: &NewUsersOptions, operator: &Actor) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(&options.storage)?;
    let address = match options.token {
        true => registry_address(&options.storage, options.public_url.as_deref()).map(Some),
        false => Ok(None),
    };
    let done = address.and_then(|address| {
        Ok(admin::users::create::create(&mut storage.connect()?, operator, options, address.as_ref())?)
    });
    storage.close()?;
    done
}

/// The address is read before links are created, so that a call that cannot print one creates none.
fn sign_in_link(options: &SignInLinkOptions, operator: &Actor) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(&options.storage)?;
    let address = registry_address(&options.storage, options.public_url.as_deref());
    let done = address.and_then(|address| {
        Ok(admin::users::sign_in_links::create(&mut storage.connect()?, operator, options, &address)?)
    });
    storage.close()?;
    done
}

fn email(command: EmailCommand, operator: &Actor) -> Result<(), CommandError> {
    match command {
        EmailCommand::Set { name, address, storage } => {
            on(&storage, |connection| admin::email::set(connection, operator, &name, &address))
        }
        EmailCommand::Remove { name, storage } => {
            on(&storage, |connection| admin::email::remove(connection, operator, &name))
        }
        EmailCommand::List { output, storage } => {
            on(&storage, |connection| admin::email::list(connection, output.json))
        }
        EmailCommand::Test(options) => {
            let Some((server, from)) = options.email.both() else {
                return Err(CommandError::new(
                    "there is no mail server: set --smtp-url and --email-from, or the same in the configuration file",
                ));
            };
            let registry = registry_address(&options.storage, None)?.url;
            Ok(admin::email::test(&Smtp::new(server, from), &options.address, &registry)?)
        }
    }
}

fn token(command: TokenCommand, operator: &Actor) -> Result<(), CommandError> {
    match command {
        TokenCommand::Create { user, token, storage } => {
            on(&storage, |connection| admin::tokens::create(connection, operator, &user, &token))
        }
        TokenCommand::List { user, output, storage } => {
            on(&storage, |connection| admin::tokens::list(connection, user.as_deref(), output.json))
        }
        TokenCommand::Revoke { id, with_descendants, storage } => {
            on(&storage, |connection| admin::tokens::revoke(connection, operator, id, with_descendants))
        }
    }
}

fn team(command: TeamCommand, operator: &Actor) -> Result<(), CommandError> {
    match command {
        TeamCommand::Create { name, storage } => {
            on(&storage, |connection| admin::teams::create(connection, operator, &name))
        }
        TeamCommand::Delete { name, storage } => {
            on(&storage, |connection| admin::teams::delete(connection, operator, &name))
        }
        TeamCommand::AddMember { team, user, storage } => {
            on(&storage, |connection| admin::teams::set_member(connection, operator, &team, &user, Membership::Add))
        }
        TeamCommand::RemoveMember { team, user, storage } => {
            on(&storage, |connection| admin::teams::set_member(connection, operator, &team, &user, Membership::Remove))
        }
        TeamCommand::Show { name, output, storage } => {
            on(&storage, |connection| admin::teams::show(connection, &name, output.json))
        }
        TeamCommand::List { output, storage } => on(&storage, |connection| admin::teams::list(connection, output.json)),
    }
}

fn owner(command: OwnerCommand, operator: &Actor) -> Result<(), CommandError> {
    match command {
        OwnerCommand::Add { krate, owner, storage } => {
            on(&storage, |connection| admin::owners::change(connection, operator, &krate, &owner, Change::Add))
        }
        OwnerCommand::Remove { krate, owner, storage } => {
            on(&storage, |connection| admin::owners::change(connection, operator, &krate, &owner, Change::Remove))
        }
        OwnerCommand::List { krate, output, storage } => {
            on(&storage, |connection| admin::owners::list(connection, &krate, output.json))
        }
    }
}

fn version(command: VersionCommand, operator: &Actor) -> Result<(), CommandError> {
    use admin::versions::{delete, set_yanked};
    match command {
        VersionCommand::Yank { krate, num, message, storage } => {
            let state = YankState { yanked: Some(true), message: message.as_deref() };
            on(&storage, |connection| set_yanked(connection, operator, (&krate, &num), state))
        }
        VersionCommand::Unyank { krate, num, storage } => {
            on(&storage, |connection| set_yanked(connection, operator, (&krate, &num), YankState::of(false)))
        }
        VersionCommand::Delete { krate, num, reason, storage } => {
            on(&storage, |connection| delete(connection, operator, &krate, &num, &reason))
        }
    }
}

fn of_crate(command: CrateCommand, operator: &Actor) -> Result<(), CommandError> {
    match command {
        CrateCommand::Limits { krate: Some(krate), limits, output, storage } => {
            on(&storage, |connection| admin::crates::limits(connection, operator, &krate, &limits, output.json))
        }
        CrateCommand::Limits { krate: None, output, storage, .. } => {
            on(&storage, |connection| admin::crates::all_limits(connection, output.json))
        }
        CrateCommand::Reserve(options) => super::reserve::reserve(&options, operator),
        CrateCommand::Delete { krate, reason, release_name, storage } => {
            on(&storage, |connection| admin::crates::delete(connection, operator, &krate, &reason, release_name))
        }
        CrateCommand::Release { name, storage } => {
            on(&storage, |connection| admin::crates::release(connection, operator, &name))
        }
        CrateCommand::Exposure { about, exposure, storage } => {
            on(&storage, |connection| admin::exposure::of_own(connection, &about, &exposure))
        }
        CrateCommand::Reserved { output, storage } => {
            on(&storage, |connection| admin::crates::reserved(connection, output.json))
        }
    }
}
