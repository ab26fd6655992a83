//! The beginning of a session, in one transaction: the user is found or created, becomes what the provider says, and gets a token
//! that the session alone has. `database/access/caller.rs` has the order of the locks.

use diesel::prelude::*;
use serde_json::json;

use super::identities::{Account, of_user};
use super::links::LinkSecret;
use super::passwords;
use super::profile::Profile;
use super::refusal::SignInRefusal;
use crate::database::access::audit::{Action, Actor, Event};
use crate::database::access::caller::of_token;
use crate::database::access::new_token::CreateTokenError;
use crate::database::access::role::Role;
use crate::database::access::sessions::{self, Origin, SessionSecret};
use crate::database::access::users::{self, CreateUserError, User};
use crate::database::email::recipients::{self, EmailSecret};
use crate::email::EmailAddress;
use crate::password::Hash;

/// Somebody who signs in.
#[derive(Clone)]
pub struct Arrival {
    /// The address, and the id of the request.
    pub from: (Option<String>, Option<String>),
    pub origin: Origin,
    /// The session that the new one takes the place of.
    pub before: Option<SessionSecret>,
}

/// A session that has begun.
pub struct Begun {
    pub user: User,
    pub secret: SessionSecret,
}

/// An account at a provider that may sign in.
#[derive(Clone, Debug)]
pub struct Offer {
    pub account: Account,
    /// What people call the provider.
    pub provider: String,
    /// The login of a user who is created for the account.
    pub login: String,
    pub profile: Profile,
    /// A verified address, for a user who is created.
    pub email: Option<EmailAddress>,
    /// A user is created for an account that belongs to none.
    pub creates: bool,
    /// The user with that login gets the account.
    pub by_login: bool,
}

/// How the user of an account was found.
enum Found {
    Known(User),
    /// The account was given to the user.
    Connected(User),
    Created(User),
}

impl Offer {
    /// Begins a session of the account's user. The account of a link is given to the link's user.
    pub fn begin(
        &self,
        connection: &mut PgConnection,
        link: Option<&LinkSecret>,
        arrival: &Arrival,
    ) -> Result<Begun, SignInRefusal> {
        connection.transaction(|connection| {
            let found = self.find(connection, link)?;
            let (Found::Known(user) | Found::Connected(user) | Found::Created(user)) = &found;
            let (mut begun, actor) = begin(connection, user.id, &self.account.issuer, arrival)?;
            let detail = self.detail();
            match &found {
                Found::Known(_) => {}
                Found::Connected(user) => {
                    Event::new(Action::IdentityAdd)
                        .about(&user.login)
                        .detail(detail.clone())
                        .record(connection, &actor)?;
                }
                Found::Created(user) => {
                    Event::new(Action::UserCreate)
                        .about(&user.login)
                        .detail(detail.clone())
                        .record(connection, &actor)?;
                    self.keep_email(connection, user, &actor)?;
                }
            }
            begun.user = self.profile.apply(connection, begun.user, (&self.account.issuer, &actor))?;
            self.account.note_use(connection)?;
            Event::new(Action::SignIn).about(&begun.user.login).detail(detail).record(connection, &actor)?;
            Ok(begun)
        })
    }

    /// The first address of a new user; later it is the user's to change.
    fn keep_email(&self, connection: &mut PgConnection, user: &User, actor: &Actor) -> Result<(), SignInRefusal> {
        let Some(address) = &self.email else { return Ok(()) };
        recipients::set(
            connection,
            user.id,
            address,
            true,
            &EmailSecret::random().map_err(CreateTokenError::Randomness)?,
        )?;
        let event = Event::new(Action::EmailSet).about(&user.login).detail(json!({ "issuer": self.account.issuer }));
        Ok(event.record(connection, actor)?)
    }

    /// What the audit log has about the account.
    pub fn detail(&self) -> serde_json::Value {
        let Account { issuer, subject, .. } = &self.account;
        json!({ "issuer": issuer, "subject": subject, "account": self.account.label() })
    }

    fn find(&self, connection: &mut PgConnection, link: Option<&LinkSecret>) -> Result<Found, SignInRefusal> {
        if let Some(link) = link {
            return self.find_by_link(connection, link);
        }
        if let Some(user) = self.account.user(connection)? {
            return Ok(Found::Known(user));
        }
        if !self.by_login && !self.creates {
            return Err(self.unknown());
        }
        users::lock_all(connection)?;
        // Another request may have created the user.
        if let Some(user) = self.account.user(connection)? {
            return Ok(Found::Known(user));
        }
        match users::find(connection, &self.login)? {
            Some(user) if self.by_login => {
                // The login of somebody who has another account there was given to somebody else there.
                let has_another = of_user(connection, user.id)?.iter().any(|one| one.issuer == self.account.issuer);
                if has_another || user.is_machine {
                    return Err(self.login_taken(user));
                }
                take(connection, user.id)?;
                self.account.add_to(connection, user.id)?;
                Ok(Found::Connected(user))
            }
            Some(user) => Err(self.login_taken(user)),
            None if self.creates => {
                let name = self.profile.name.as_deref();
                let user = users::create(connection, &self.login, name).map_err(|source| self.no_login(source))?;
                self.account.add_to(connection, user.id)?;
                Ok(Found::Created(user))
            }
            None => Err(self.unknown()),
        }
    }

    fn find_by_link(&self, connection: &mut PgConnection, link: &LinkSecret) -> Result<Found, SignInRefusal> {
        let user = link.user(connection)?.ok_or(SignInRefusal::NoLink)?;
        take(connection, user.id)?;
        if !link.use_up(connection)? {
            return Err(SignInRefusal::NoLink);
        }
        match self.account.user(connection)? {
            Some(known) if known.id == user.id => Ok(Found::Known(user)),
            Some(_) => Err(self.of_another()),
            None if self.account.add_to(connection, user.id)? => Ok(Found::Connected(user)),
            None => Err(self.of_another()),
        }
    }

    fn unknown(&self) -> SignInRefusal {
        SignInRefusal::Unknown { label: self.account.label().to_owned(), provider: self.provider.clone() }
    }

    pub fn of_another(&self) -> SignInRefusal {
        SignInRefusal::OfAnother { label: self.account.label().to_owned(), provider: self.provider.clone() }
    }

    fn login_taken(&self, user: User) -> SignInRefusal {
        let (label, provider) = (self.account.label().to_owned(), self.provider.clone());
        SignInRefusal::LoginTaken { login: user.login, label, provider }
    }

    fn no_login(&self, source: CreateUserError) -> SignInRefusal {
        match source {
            CreateUserError::Database(error) => error.into(),
            source => SignInRefusal::Login { login: self.login.clone(), provider: self.provider.clone(), source },
        }
    }
}

/// Begins a session of a user who has entered the password with this hash; None if it was changed meanwhile.
pub fn begin_with_password(
    connection: &mut PgConnection,
    user: i32,
    (with, hash): (&str, &Hash),
    arrival: &Arrival,
) -> Result<Option<Begun>, SignInRefusal> {
    connection.transaction(|connection| {
        take(connection, user)?;
        if passwords::hash_of(connection, user)?.is_none_or(|now| now != *hash) {
            return Ok(None);
        }
        begin_as(connection, user, with, arrival).map(|(begun, _)| Some(begun))
    })
}

/// Begins a session of a user who has proved to be that user. `with` says how.
pub fn begin_as(
    connection: &mut PgConnection,
    user: i32,
    with: &str,
    arrival: &Arrival,
) -> Result<(Begun, Actor), SignInRefusal> {
    connection.transaction(|connection| {
        let (begun, actor) = begin(connection, user, with, arrival)?;
        let event = Event::new(Action::SignIn).about(&begun.user.login).detail(json!({ "with": with }));
        event.record(connection, &actor)?;
        Ok((begun, actor))
    })
}

/// Locks the rights and the row of a user, who is active. A lock that others share could not become this one.
fn take(connection: &mut PgConnection, id: i32) -> Result<User, SignInRefusal> {
    users::lock(connection, id)?;
    let user = users::read_to_take(connection, id)?;
    user.check_active()?;
    Ok(user)
}

fn begin(
    connection: &mut PgConnection,
    user: i32,
    with: &str,
    arrival: &Arrival,
) -> Result<(Begun, Actor), SignInRefusal> {
    let user = take(connection, user)?;
    if user.role == Role::Service {
        return Err(SignInRefusal::Service(user.login));
    }
    let token = sessions::create_token(connection, user.id, with)?;
    let secret = SessionSecret::random().map_err(CreateTokenError::from)?;
    if let Some(before) = &arrival.before {
        sessions::end(connection, before)?;
    }
    sessions::begin(connection, &secret, token.id, &arrival.origin)?;
    let actor = of_token(&user, &token, arrival.from.clone());
    Ok((Begun { user, secret }, actor))
}
