//! Revocation of API tokens, of one alone or with all tokens that were made with it.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::audit::{Action, Actor, Event};
use super::scope::Scope;
use super::tokens::{Token, TokenState};
use super::users;
use crate::database::schema::api_tokens;

/// Tokens that were revoked together.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The revoked tokens, the oldest first.
    pub tokens: Vec<Token>,
    /// Valid tokens that were created with the revoked ones, directly or indirectly.
    pub valid_descendants: Vec<Token>,
}

impl Revoked {
    /// Writes an audit entry for each token; `id` is the token that the request named.
    pub fn record(&self, connection: &mut PgConnection, id: i32, actor: &Actor) -> QueryResult<()> {
        for token in &self.tokens {
            let mut detail = token.describe();
            if token.id != id {
                detail["descendant_of"] = id.into();
            }
            Event::new(Action::TokenRevoke).about(&token.name).detail(detail).record(connection, actor)?;
        }
        Ok(())
    }
}

/// Revokes a token; None if no token has this id (of this user, if one is given), or if it was already revoked. Waits
/// for changes that the token's user has begun.
pub fn revoke(connection: &mut PgConnection, id: i32, of: Option<i32>) -> QueryResult<Option<Revoked>> {
    revoke_some(connection, id, of, |token| token.id == id)
}

/// Revokes a token and all tokens that were created with it, directly or indirectly; None if all were already revoked.
pub fn revoke_with_descendants(
    connection: &mut PgConnection,
    id: i32,
    of: Option<i32>,
) -> QueryResult<Option<Revoked>> {
    revoke_some(connection, id, of, |_| true)
}

/// Revokes the tokens with which a user administers. The user's rights must be locked.
pub fn revoke_administering(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<Token>> {
    let mut revoked: Vec<Token> = diesel::update(api_tokens::table)
        .filter(api_tokens::user_id.eq(user).and(api_tokens::revoked_at.is_null()))
        .filter(api_tokens::scopes.assume_not_null().contains(vec![Scope::Administer.as_str()]))
        .set(api_tokens::revoked_at.eq(Utc::now()))
        .returning(Token::as_returning())
        .get_results(connection)?;
    revoked.sort_by_key(|token| token.id);
    Ok(revoked)
}

/// Revokes all tokens of a user. The user's rights must be locked.
pub fn revoke_all(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<Token>> {
    let mut revoked: Vec<Token> = diesel::update(api_tokens::table)
        .filter(api_tokens::user_id.eq(user).and(api_tokens::revoked_at.is_null()))
        .set(api_tokens::revoked_at.eq(Utc::now()))
        .returning(Token::as_returning())
        .get_results(connection)?;
    revoked.sort_by_key(|token| token.id);
    Ok(revoked)
}

fn revoke_some(
    connection: &mut PgConnection,
    id: i32,
    of: Option<i32>,
    chosen: impl Fn(&Token) -> bool,
) -> QueryResult<Option<Revoked>> {
    connection.transaction(|connection| {
        let owner: Option<i32> = api_tokens::table.find(id).select(api_tokens::user_id).first(connection).optional()?;
        if owner.is_none_or(|owner| of.is_some_and(|user| owner != user)) {
            return Ok(None);
        }
        // An admin's program creates tokens of others. Rights are locked in the order of the users.
        let mut owners: Vec<i32> = family(connection, id)?.iter().map(|(_, owner)| *owner).collect();
        owners.sort_unstable();
        owners.dedup();
        for owner in owners {
            users::lock(connection, owner)?;
        }
        let family = family(connection, id)?.into_iter().map(|(token, _)| token);
        let (chosen, others): (Vec<_>, Vec<_>) =
            family.filter(|token| token.revoked_at.is_none()).partition(|token| chosen(token));
        let ids: Vec<i32> = chosen.iter().map(|token| token.id).collect();
        diesel::update(api_tokens::table.filter(api_tokens::id.eq_any(ids)))
            .set(api_tokens::revoked_at.eq(Utc::now()))
            .execute(connection)?;
        let valid_descendants = others.into_iter().filter(|token| token.state() == TokenState::Valid).collect();
        Ok((!chosen.is_empty()).then_some(Revoked { tokens: chosen, valid_descendants }))
    })
}

/// A token and all tokens that were created with it, each with its user, also through tokens that were revoked since.
fn family(connection: &mut PgConnection, id: i32) -> QueryResult<Vec<(Token, i32)>> {
    #[derive(QueryableByName)]
    struct Member {
        #[diesel(sql_type = Integer)]
        id: i32,
    }
    // A version of the program from before this column can have created tokens after the migration, during an upgrade
    // or after a rollback.
    diesel::sql_query(
        "UPDATE api_tokens SET created_by_token = maker.id
         FROM audit_log JOIN api_tokens AS maker ON maker.id = audit_log.token_id
         WHERE audit_log.action = 'token-create' AND audit_log.detail->'token_id' = to_jsonb(api_tokens.id)
             AND maker.user_id = api_tokens.user_id AND maker.id < api_tokens.id
             AND api_tokens.created_by_token IS NULL
             AND api_tokens.user_id = (SELECT user_id FROM api_tokens WHERE id = $1)",
    )
    .bind::<Integer, _>(id)
    .execute(connection)?;
    let members: Vec<Member> = diesel::sql_query(
        "WITH RECURSIVE family AS (
            SELECT id FROM api_tokens WHERE id = $1
            UNION SELECT api_tokens.id FROM api_tokens JOIN family ON api_tokens.created_by_token = family.id)
         SELECT id FROM family",
    )
    .bind::<Integer, _>(id)
    .get_results(connection)?;
    let ids = members.into_iter().map(|member| member.id);
    api_tokens::table
        .filter(api_tokens::id.eq_any(ids))
        .order(api_tokens::id)
        .select((Token::as_select(), api_tokens::user_id))
        .load(connection)
}
