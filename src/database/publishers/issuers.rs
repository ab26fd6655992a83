//! Issuers whose ID tokens are accepted.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::database::access::provenance::Provider;
use crate::database::schema::trusted_issuers;

/// An issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub id: i32,
    pub provider: Provider,
    /// The claim `iss`, to the byte.
    pub url: String,
    /// The claim that tells one CI system from another, if the provider has no repositories.
    pub identity_claim: String,
    pub created_at: DateTime<Utc>,
}

type Row = (i32, String, String, String, DateTime<Utc>);

impl TryFrom<Row> for Issuer {
    type Error = diesel::result::Error;

    fn try_from((id, provider, url, identity_claim, created_at): Row) -> QueryResult<Self> {
        let provider =
            provider.parse().map_err(|error| diesel::result::Error::DeserializationError(Box::new(error)))?;
        Ok(Self { id, provider, url, identity_claim, created_at })
    }
}

/// All of them, by provider and URL.
pub fn list(connection: &mut PgConnection) -> QueryResult<Vec<Issuer>> {
    let rows: Vec<Row> =
        trusted_issuers::table.order((trusted_issuers::provider, trusted_issuers::url)).load(connection)?;
    rows.into_iter().map(Issuer::try_from).collect()
}

/// The issuer with this URL.
pub fn find(connection: &mut PgConnection, url: &str) -> QueryResult<Option<Issuer>> {
    let row: Option<Row> = trusted_issuers::table.filter(trusted_issuers::url.eq(url)).first(connection).optional()?;
    row.map(Issuer::try_from).transpose()
}

/// Adds an issuer; None if there is one with this URL.
pub fn add(
    connection: &mut PgConnection,
    (provider, url): (Provider, &str),
    identity_claim: &str,
) -> QueryResult<Option<Issuer>> {
    let row: Option<Row> = diesel::insert_into(trusted_issuers::table)
        .values((
            trusted_issuers::provider.eq(provider.as_str()),
            trusted_issuers::url.eq(url),
            trusted_issuers::identity_claim.eq(identity_claim),
        ))
        .on_conflict_do_nothing()
        .returning(trusted_issuers::all_columns)
        .get_result(connection)
        .optional()?;
    row.map(Issuer::try_from).transpose()
}

/// Removes an issuer and its trusted publishers, whose number is returned; None if there is no such issuer.
pub fn remove(connection: &mut PgConnection, url: &str) -> QueryResult<Option<i64>> {
    use crate::database::schema::trusted_publishers::{issuer_id, table as publishers};
    let Some(issuer) = find(connection, url)? else { return Ok(None) };
    let count = publishers.filter(issuer_id.eq(issuer.id)).count().get_result(connection)?;
    diesel::delete(trusted_issuers::table.find(issuer.id)).execute(connection)?;
    Ok(Some(count))
}
