//! Devices that get a token without that their user copies it: the device shows a code, and its user allows the request on a page.
//! Source: RFC 8628.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use rand::rngs::SysError;

use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::{Authority, of_token};
use crate::database::access::new_token::{CreateTokenError, NewToken, PlainToken};
use crate::database::access::scope::Scope;
use crate::database::access::tokens::{Token, TokenState, digest as sha256, random_secret, random_text};
use crate::database::access::users::{self, User};
use crate::database::schema::{api_tokens, device_requests, users as all_users};
use crate::database::types::TextArray;

/// How long a request waits for its user.
pub const WAITS: TimeDelta = TimeDelta::minutes(10);
/// The seconds between two questions of a device.
pub const INTERVAL: i64 = 2;
/// How long a token of a device is valid.
pub const VALID_FOR: TimeDelta = TimeDelta::hours(12);
/// How long it can be renewed, if that is not done in between.
pub const RENEWABLE_FOR: TimeDelta = TimeDelta::days(30);
/// The longest name of a device, in characters.
pub const MAX_NAME: usize = 80;
/// The most requests that wait at the same time.
const MAX_WAITING: i64 = 10_000;
/// The prefixes of secrets.
const DEVICE_CODE: &str = "scd_";
const RENEWAL: &str = "scr_";
/// Consonants without those that look alike, so that no code is a word. Source: RFC 8628, section 6.1.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE: usize = 8;

/// A secret that exists on the device alone.
pub struct DeviceSecret(String);

impl DeviceSecret {
    fn random(prefix: &str) -> Result<Self, SysError> {
        random_secret(prefix).map(Self)
    }

    /// The text, which is sent once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The code that people read on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    fn random() -> Result<Self, SysError> {
        random_text(LETTERS, USER_CODE).map(Self)
    }

    /// Reads one as people type it; None if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
        (code.len() == USER_CODE && code.bytes().all(|byte| LETTERS.contains(&byte))).then_some(Self(code))
    }

    /// As it is shown: `WDJB-MJHT`.
    pub fn shown(&self) -> String {
        let (first, second) = self.0.split_at(USER_CODE / 2);
        format!("{first}-{second}")
    }
}

/// Why a request of a device is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("too many devices have asked for tokens: try again in a few minutes")]
    TooMany,
    #[error("the system returned no random numbers")]
    Randomness(#[from] SysError),
    #[error(transparent)]
    Token(#[from] CreateTokenError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// Begins a request. Removes those that have expired long ago.
pub fn begin(
    connection: &mut PgConnection,
    name: &str,
    scopes: Option<Vec<Scope>>,
    address: Option<&str>,
) -> Result<(DeviceSecret, UserCode), DeviceError> {
    let now = Utc::now();
    // A device that asks later learns that its request has expired.
    diesel::delete(device_requests::table.filter(device_requests::expires_at.lt(now - WAITS))).execute(connection)?;
    if device_requests::table.count().get_result::<i64>(connection)? >= MAX_WAITING {
        return Err(DeviceError::TooMany);
    }
    let (secret, code) = (DeviceSecret::random(DEVICE_CODE)?, UserCode::random()?);
    diesel::insert_into(device_requests::table)
        .values((
            device_requests::device_code_sha256.eq(sha256(&secret.0).as_slice()),
            device_requests::user_code.eq(&code.0),
            device_requests::name.eq(name),
            device_requests::address.eq(address),
            device_requests::scopes.eq(scopes.map(TextArray)),
            device_requests::expires_at.eq(now + WAITS),
        ))
        .execute(connection)?;
    Ok((secret, code))
}

/// A request that waits for its user.
#[derive(Queryable, Clone, Debug)]
pub struct Waiting {
    pub name: String,
    pub address: Option<String>,
    pub scopes: Option<TextArray<Scope>>,
    pub created_at: DateTime<Utc>,
}

/// The request with a code, if it has not been decided yet.
pub fn find(connection: &mut PgConnection, code: &UserCode) -> QueryResult<Option<Waiting>> {
    device_requests::table
        .filter(device_requests::user_code.eq(&code.0).and(device_requests::user_id.is_null()))
        .filter(device_requests::expires_at.gt(Utc::now()))
        .select((device_requests::name, device_requests::address, device_requests::scopes, device_requests::created_at))
        .first(connection)
        .optional()
}

/// Allows or denies a request, in the transaction that has confirmed the user; false if there is none to decide.
pub fn decide(connection: &mut PgConnection, code: &UserCode, allow: bool, by: &Authority) -> QueryResult<bool> {
    let open = device_requests::user_code.eq(&code.0).and(device_requests::user_id.is_null());
    let decided: Option<String> =
        diesel::update(device_requests::table.filter(open.and(device_requests::expires_at.gt(Utc::now()))))
            .set((
                device_requests::user_id.eq(by.user.id),
                device_requests::token_id.eq(by.token.id),
                device_requests::is_allowed.eq(allow),
            ))
            .returning(device_requests::name)
            .get_result(connection)
            .optional()?;
    let Some(name) = decided else { return Ok(false) };
    let action = if allow { Action::DeviceAllow } else { Action::DeviceDeny };
    Event::new(action).about(&name).record(connection, &by.actor())?;
    Ok(true)
}

/// What a device gets.
pub struct Granted {
    pub token: Token,
    pub plain: PlainToken,
    pub renewal: DeviceSecret,
}

/// The answer to a device that asks whether its user has decided.
pub enum Answer {
    /// There is no such request, or its token was given already.
    Unknown,
    Expired,
    Pending,
    TooSoon,
    Denied,
    Granted(Box<Granted>),
}

#[derive(Queryable)]
struct Asked {
    name: String,
    scopes: Option<TextArray<Scope>>,
    expires_at: DateTime<Utc>,
    last_asked_at: Option<DateTime<Utc>>,
    user: Option<i32>,
    token: Option<i32>,
    is_allowed: bool,
}

/// Answers a device with this code. A token is given once, if the session in which it was allowed has not ended.
pub fn ask(
    connection: &mut PgConnection,
    device_code: &str,
    from: (Option<String>, Option<String>),
) -> Result<Answer, DeviceError> {
    let digest = sha256(device_code);
    connection.transaction(|connection| {
        let asked: Option<Asked> = device_requests::table
            .find(digest.as_slice())
            .for_update()
            .select((
                device_requests::name,
                device_requests::scopes,
                device_requests::expires_at,
                device_requests::last_asked_at,
                device_requests::user_id,
                device_requests::token_id,
                device_requests::is_allowed,
            ))
            .first(connection)
            .optional()?;
        let Some(asked) = asked else { return Ok(Answer::Unknown) };
        let now = Utc::now();
        let request = device_requests::table.find(digest.as_slice());
        if asked.user.is_none() && asked.expires_at <= now {
            return Ok(Answer::Expired);
        }
        let (Some(user), Some(by)) = (asked.user, asked.token) else {
            diesel::update(request).set(device_requests::last_asked_at.eq(now)).execute(connection)?;
            let too_soon = |last: DateTime<Utc>| now - last < TimeDelta::seconds(INTERVAL) / 2;
            return Ok(if asked.last_asked_at.is_some_and(too_soon) { Answer::TooSoon } else { Answer::Pending });
        };
        diesel::delete(request).execute(connection)?;
        if !asked.is_allowed {
            return Ok(Answer::Denied);
        }
        users::lock(connection, user)?;
        let user: User = users::read_to_take(connection, user)?;
        let allowed_in: Token = api_tokens::table.find(by).select(Token::as_select()).first(connection)?;
        if user.check_active().is_err() || allowed_in.state() != TokenState::Valid {
            return Ok(Answer::Denied);
        }
        let new = NewToken {
            name: asked.name,
            scopes: asked.scopes.map(|scopes| scopes.0),
            crate_patterns: None,
            expires_at: Some(now + VALID_FOR),
        };
        let (token, plain) = new.create_by(connection, (user.id, by))?;
        let renewal = DeviceSecret::random(RENEWAL)?;
        let token: Token = diesel::update(api_tokens::table.find(token.id))
            .set((
                api_tokens::renewal_sha256.eq(sha256(&renewal.0).as_slice()),
                api_tokens::renewable_until.eq(now + RENEWABLE_FOR),
            ))
            .returning(Token::as_returning())
            .get_result(connection)?;
        let actor = of_token(&user, &token, from);
        Event::new(Action::TokenCreate).about(&token.name).detail(token.describe()).record(connection, &actor)?;
        Ok(Answer::Granted(Box::new(Granted { token, plain, renewal })))
    })
}

/// Renews the token of a device: the one before, and the secret for the renewal, are worth nothing from then on. None if that cannot
/// be renewed.
pub fn renew(connection: &mut PgConnection, renewal: &str) -> Result<Option<(Granted, User)>, DeviceError> {
    let digest = sha256(renewal);
    connection
        .transaction(|connection| {
            let found: Option<(i32, i32)> = api_tokens::table
                .filter(api_tokens::renewal_sha256.eq(digest.as_slice()))
                .select((api_tokens::id, api_tokens::user_id))
                .first(connection)
                .optional()?;
            let Some((id, user)) = found else { return Ok(None) };
            users::lock(connection, user)?;
            let now = Utc::now();
            let (plain, new) = (PlainToken::random()?, DeviceSecret::random(RENEWAL)?);
            let own = api_tokens::id.eq(id).and(api_tokens::renewal_sha256.eq(digest.as_slice()));
            let renewed: Option<Token> = diesel::update(api_tokens::table)
                .filter(own.and(api_tokens::revoked_at.is_null()).and(api_tokens::renewable_until.gt(now)))
                .set((
                    api_tokens::token_sha256.eq(sha256(plain.reveal()).as_slice()),
                    api_tokens::expires_at.eq(now + VALID_FOR),
                    api_tokens::renewal_sha256.eq(sha256(&new.0).as_slice()),
                    api_tokens::renewable_until.eq(now + RENEWABLE_FOR),
                ))
                .returning(Token::as_returning())
                .get_result(connection)
                .optional()?;
            let Some(token) = renewed else { return Ok(None) };
            let user: User = all_users::table.find(user).select(User::as_select()).first(connection)?;
            if user.check_active().is_err() {
                return Err(DeviceError::Database(diesel::result::Error::RollbackTransaction));
            }
            Ok(Some((Granted { token, plain, renewal: new }, user)))
        })
        .or_else(|error: DeviceError| match error {
            DeviceError::Database(diesel::result::Error::RollbackTransaction) => Ok(None),
            error => Err(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::random().unwrap();
        for typed in [code.shown(), code.shown().to_lowercase(), format!(" {} ", code.0), code.0.replace("", " ")] {
            assert_eq!(UserCode::parse(&typed), Some(code.clone()), "{typed}");
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJA", "BCDF-GHJK-L", "ÄCDF-GHJK"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
    }
}
