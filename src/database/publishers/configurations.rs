//! Trusted publishers, as they are configured.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde_json::Value;

use super::rule::Rule;
use crate::database::access::provenance::Provider;
use crate::database::schema::{crates, trusted_issuers, trusted_publishers, users};
use crate::package::CrateName;
use crate::package::crate_pattern::CratePattern;

/// A trusted publisher.
#[derive(Clone, Debug)]
pub struct Publisher {
    pub id: i32,
    pub provider: Provider,
    pub issuer: String,
    pub covers: Covers,
    pub rule: Rule,
    /// Whether it may only stage versions, in release sets.
    pub stages_only: bool,
    /// Whether it may publish new crates.
    pub creates: bool,
    /// The login of the user whose crates a pattern covers, or who has added it for a crate; None for an operator.
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// What a trusted publisher may publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covers {
    Crate(CrateName),
    /// What its creator owns of it, and new crates.
    Pattern(CratePattern),
}

impl Covers {
    pub fn text(&self) -> String {
        match self {
            Self::Crate(name) => name.to_string(),
            Self::Pattern(pattern) => pattern.to_string(),
        }
    }
}

/// A trusted publisher to add.
pub struct NewPublisher<'a> {
    pub issuer_id: i32,
    pub target: Target<'a>,
    pub rule: &'a Rule,
    pub stages_only: bool,
    /// Whether it may publish new crates, and the admin who allows that; None for an operator.
    pub creates: bool,
    pub allowed_by: Option<i32>,
    /// None only for a crate.
    pub created_by: Option<i32>,
}

#[derive(Clone, Copy)]
pub enum Target<'a> {
    Crate(i32),
    Pattern(&'a CratePattern),
}

/// Which trusted publishers are listed.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    All,
    One(i32),
    /// Those of a crate, and the patterns that cover it.
    OfCrate(&'a CrateName),
    /// Those of the crates that a user owns, and those with a pattern that the user has configured.
    OfUser(i32),
    /// Those that an ID token of an issuer may be of: its repository in lower case.
    OfToken(i32, Option<&'a str>),
}

type Row = (i32, String, String, Option<CrateName>, Option<String>, Value, (bool, bool), Option<String>, DateTime<Utc>);

fn publisher(row: Row) -> QueryResult<Publisher> {
    let (id, provider, issuer, krate, pattern, rule, (stages_only, creates), created_by, created_at) = row;
    fn broken<E: std::error::Error + Send + Sync + 'static>(error: E) -> diesel::result::Error {
        diesel::result::Error::DeserializationError(Box::new(error))
    }
    let covers = match (krate, pattern) {
        (Some(name), _) => Covers::Crate(name),
        (None, pattern) => Covers::Pattern(pattern.unwrap_or_default().parse().map_err(broken)?),
    };
    let (provider, rule) = (provider.parse().map_err(broken)?, serde_json::from_value(rule).map_err(broken)?);
    Ok(Publisher { id, provider, issuer, covers, rule, stages_only, creates, created_by, created_at })
}

/// SQL: whether the pattern of a trusted publisher covers the existing crate `covered`.
const COVERS: &str = "trusted_publishers.pattern IS NOT NULL
    AND CASE WHEN trusted_publishers.is_prefix THEN starts_with(covered.canonical_name, trusted_publishers.canonical)
             ELSE covered.canonical_name = trusted_publishers.canonical END
    AND EXISTS (SELECT FROM crate_owners WHERE crate_id = covered.id AND user_id = trusted_publishers.created_by)";

/// Trusted publishers, in the order of their ids.
pub fn list(connection: &mut PgConnection, which: Which<'_>) -> QueryResult<Vec<Publisher>> {
    let mut query = trusted_publishers::table
        .inner_join(trusted_issuers::table)
        .left_join(users::table)
        .left_join(crates::table)
        .select((
            trusted_publishers::id,
            trusted_issuers::provider,
            trusted_issuers::url,
            crates::name.nullable(),
            trusted_publishers::pattern,
            trusted_publishers::rule,
            (trusted_publishers::stages_only, trusted_publishers::creates),
            users::login.nullable(),
            trusted_publishers::created_at,
        ))
        .order(trusted_publishers::id)
        .into_boxed();
    query = match which {
        Which::All => query,
        Which::One(id) => query.filter(trusted_publishers::id.eq(id)),
        Which::OfCrate(name) => query.filter(
            sql::<Bool>("(crates.canonical_name = ")
                .bind::<diesel::sql_types::Text, _>(name.canonical())
                .sql(&format!(" OR EXISTS (SELECT FROM crates AS covered WHERE {COVERS} AND covered.canonical_name = "))
                .bind::<diesel::sql_types::Text, _>(name.canonical())
                .sql("))"),
        ),
        Which::OfUser(user) => query.filter(
            sql::<Bool>("(trusted_publishers.pattern IS NOT NULL AND trusted_publishers.created_by = ")
                .bind::<diesel::sql_types::Integer, _>(user)
                .sql(" OR trusted_publishers.crate_id IN (SELECT crate_id FROM crate_owners WHERE user_id = ")
                .bind::<diesel::sql_types::Integer, _>(user)
                .sql("))"),
        ),
        Which::OfToken(issuer, repository) => query.filter(trusted_publishers::issuer_id.eq(issuer)).filter(
            trusted_publishers::repository
                .is_null()
                .or(trusted_publishers::repository.eq(repository.unwrap_or_default())),
        ),
    };
    let rows: Vec<Row> = query.load(connection)?;
    rows.into_iter().map(publisher).collect()
}

/// Those of a crate or, for a pattern, of the user, with an issuer of the provider.
pub fn count_alike(connection: &mut PgConnection, new: &NewPublisher<'_>, provider: Provider) -> QueryResult<i64> {
    let query = trusted_publishers::table.inner_join(trusted_issuers::table);
    match new.target {
        Target::Crate(id) => query
            .filter(trusted_publishers::crate_id.eq(id))
            .filter(trusted_issuers::provider.eq(provider.as_str()))
            .count()
            .get_result(connection),
        Target::Pattern(_) => query
            .filter(trusted_publishers::pattern.is_not_null())
            .filter(trusted_publishers::created_by.is_not_distinct_from(new.created_by))
            .count()
            .get_result(connection),
    }
}

/// The id of an existing trusted publisher with the same rule for the same crates.
pub fn same(connection: &mut PgConnection, new: &NewPublisher<'_>) -> QueryResult<Option<i32>> {
    let (crate_id, pattern) = new.target.columns();
    let candidates: Vec<(i32, Value)> = trusted_publishers::table
        .filter(trusted_publishers::issuer_id.eq(new.issuer_id))
        .filter(trusted_publishers::crate_id.is_not_distinct_from(crate_id))
        .filter(trusted_publishers::pattern.is_not_distinct_from(pattern))
        .filter(trusted_publishers::creates.eq(new.creates))
        // A pattern has the rights of its creator.
        .filter(
            trusted_publishers::crate_id
                .is_not_null()
                .or(trusted_publishers::created_by.is_not_distinct_from(new.created_by)),
        )
        .select((trusted_publishers::id, trusted_publishers::rule))
        .load(connection)?;
    let is_same = |rule: Value| serde_json::from_value::<Rule>(rule).is_ok_and(|rule| rule.is_like(new.rule));
    Ok(candidates.into_iter().find_map(|(id, rule)| is_same(rule).then_some(id)))
}

impl<'a> Target<'a> {
    fn columns(self) -> (Option<i32>, Option<String>) {
        match self {
            Self::Crate(id) => (Some(id), None),
            Self::Pattern(pattern) => (None, Some(pattern.to_string())),
        }
    }
}

/// Adds one, and returns its id.
pub fn add(connection: &mut PgConnection, new: &NewPublisher<'_>) -> QueryResult<i32> {
    let (crate_id, pattern) = new.target.columns();
    let (canonical, is_prefix) = match new.target {
        Target::Crate(_) => (None, None),
        Target::Pattern(pattern) => {
            let (canonical, is_prefix) = pattern.canonical();
            (Some(canonical), Some(is_prefix))
        }
    };
    diesel::insert_into(trusted_publishers::table)
        .values((
            trusted_publishers::issuer_id.eq(new.issuer_id),
            trusted_publishers::crate_id.eq(crate_id),
            trusted_publishers::pattern.eq(&pattern),
            trusted_publishers::canonical.eq(canonical),
            trusted_publishers::is_prefix.eq(is_prefix),
            trusted_publishers::repository.eq(new.rule.repository_key()),
            trusted_publishers::rule.eq(serde_json::to_value(new.rule).unwrap_or_default()),
            trusted_publishers::stages_only.eq(new.stages_only),
            trusted_publishers::creates.eq(new.creates),
            trusted_publishers::allowed_by.eq(new.allowed_by),
            trusted_publishers::created_by.eq(new.created_by),
        ))
        .returning(trusted_publishers::id)
        .get_result(connection)
}

/// Removes one; false if it is gone.
pub fn remove(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    diesel::delete(trusted_publishers::table.find(id)).execute(connection).map(|removed| removed > 0)
}

/// Revokes the tokens from exchanges of whose trusted publishers none is left.
pub fn revoke_orphans(connection: &mut PgConnection) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE api_tokens SET revoked_at = now()
         WHERE trusted IS NOT NULL AND revoked_at IS NULL AND expires_at > now()
             AND NOT EXISTS (SELECT FROM jsonb_array_elements_text(trusted -> 'publishers') AS one (id)
                             JOIN trusted_publishers ON trusted_publishers.id = one.id::integer)",
    )
    .execute(connection)
}

/// Writes the numbers of an owner into a rule that has none yet; false if the rule is not met any longer. Only then the row is
/// locked, or another token would pin another owner.
pub fn pin(
    connection: &mut PgConnection,
    publisher: &Publisher,
    claims: &serde_json::Map<String, Value>,
) -> QueryResult<bool> {
    if publisher.rule.pinned(claims).is_none() {
        return Ok(true);
    }
    let row: Option<Value> = trusted_publishers::table
        .find(publisher.id)
        .select(trusted_publishers::rule)
        .for_no_key_update()
        .first(connection)
        .optional()?;
    let Some(rule) = row.and_then(|rule| serde_json::from_value::<Rule>(rule).ok()) else { return Ok(false) };
    if rule.judge(claims).is_err() {
        return Ok(false);
    }
    let Some(pinned) = rule.pinned(claims) else { return Ok(true) };
    diesel::update(trusted_publishers::table.find(publisher.id))
        .set(trusted_publishers::rule.eq(serde_json::to_value(&pinned).unwrap_or_default()))
        .execute(connection)?;
    Ok(true)
}

/// Locks the tokens that were issued for some of these trusted publishers, before these are removed: a publish locks its token
/// first, too.
pub fn lock_tokens(connection: &mut PgConnection, publishers: &[i32]) -> QueryResult<usize> {
    diesel::sql_query(
        "SELECT FROM api_tokens
         WHERE trusted IS NOT NULL AND expires_at > now()
             AND EXISTS (SELECT FROM jsonb_array_elements_text(trusted -> 'publishers') AS one (id)
                         WHERE one.id::integer = ANY($1))
         ORDER BY id FOR NO KEY UPDATE",
    )
    .bind::<diesel::sql_types::Array<diesel::sql_types::Integer>, _>(publishers)
    .execute(connection)
}

/// The ids of the patterns that a user has added.
pub fn ids_added_by(connection: &mut PgConnection, user: i32) -> QueryResult<Vec<i32>> {
    trusted_publishers::table
        .filter(trusted_publishers::created_by.eq(user).and(trusted_publishers::pattern.is_not_null()))
        .order(trusted_publishers::id)
        .select(trusted_publishers::id)
        .load(connection)
}

/// The ids of those of an issuer.
pub fn ids_of_issuer(connection: &mut PgConnection, url: &str) -> QueryResult<Vec<i32>> {
    trusted_publishers::table
        .inner_join(trusted_issuers::table)
        .filter(trusted_issuers::url.eq(url))
        .order(trusted_publishers::id)
        .select(trusted_publishers::id)
        .load(connection)
}
