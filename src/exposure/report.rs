//! What is known of the exposure to a crate or a version.

use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::dependents::{self, Dependent, Source};
use super::notes::notes;
use crate::database::download_log::coverage::{self, Coverage};
use crate::database::download_log::downloads::{self, ByAddress, ByToken, Subject};

/// The longest list.
const LIMIT: i64 = 10_000;

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    pub subject: Subject,
    /// Where dependents say that they have it from.
    pub source: Source,
    /// Only downloads since then.
    pub since: Option<DateTime<Utc>>,
    /// When the version was published, if that is known.
    pub published_at: Option<DateTime<Utc>>,
}

/// What is known of a crate, or of one version of it.
#[derive(Serialize, ToSchema, Clone, Debug)]
pub struct Exposure {
    /// Null for a crate of this registry.
    #[schema(example = "crates-io")]
    pub upstream: Option<String>,
    #[serde(rename = "crate")]
    #[schema(example = "arrayref")]
    pub krate: String,
    /// Null for all versions.
    #[schema(example = "0.3.10")]
    pub version: Option<String>,
    /// When the version was published, if that is known.
    pub published_at: Option<DateTime<Utc>>,
    pub log: LogReach,
    /// What the log cannot tell, in sentences. Without them, lists of downloads are complete.
    pub notes: Vec<String>,
    /// Downloads in the lists that were delivered.
    pub delivered: i64,
    /// Downloads in the lists that were refused.
    pub refused: i64,
    /// The first download that was delivered.
    pub first: Option<DateTime<Utc>>,
    /// The last one.
    pub last: Option<DateTime<Utc>>,
    /// Downloads with a token, by token and version.
    pub by_token: Vec<DownloadsByToken>,
    /// Downloads without a token, by address and version.
    pub by_address: Vec<DownloadsByAddress>,
    /// The crates of this registry of which the default version depends on it; null if the index of the upstream is not known.
    pub dependents: Option<Vec<Dependent>>,
    /// The crates of this registry of which the default version depends on one of these, or on another one of this list.
    pub transitive_dependents: Vec<Dependent>,
}

/// Since when downloads are logged.
#[derive(Serialize, ToSchema, Clone, Copy, Debug)]
pub struct LogReach {
    /// Downloads with a token; null if they are not logged.
    pub tokens_since: Option<DateTime<Utc>>,
    /// Downloads without a token; null if they are not logged.
    pub others_since: Option<DateTime<Utc>>,
    /// How many of all downloads since then could not be logged.
    pub lost: i64,
    pub lost_at: Option<DateTime<Utc>>,
}

/// Downloads of a version with one token.
#[derive(Serialize, ToSchema, Clone, Debug)]
pub struct DownloadsByToken {
    pub version: String,
    /// The login of the user at that time.
    pub user: String,
    pub token_id: i32,
    pub token_name: String,
    /// Up to 20 of the addresses that they came from.
    pub addresses: Vec<String>,
    pub delivered: i64,
    pub refused: i64,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
}

/// Downloads of a version without a token from one address.
#[derive(Serialize, ToSchema, Clone, Debug)]
pub struct DownloadsByAddress {
    pub version: String,
    pub address: Option<String>,
    /// The beginning of that of the last one.
    pub user_agent: Option<String>,
    pub delivered: i64,
    pub refused: i64,
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
}

/// Answers a question.
pub fn find(connection: &mut PgConnection, question: &Question) -> QueryResult<Exposure> {
    let Question { subject, source, since, published_at } = question;
    let reach = coverage::read(connection, Utc::now())?;
    let from = (since.unwrap_or(DateTime::UNIX_EPOCH).max(DateTime::UNIX_EPOCH), LIMIT);
    let by_token: Vec<DownloadsByToken> =
        downloads::by_token(connection, subject, from)?.into_iter().map(Into::into).collect();
    let by_address: Vec<DownloadsByAddress> =
        downloads::by_address(connection, subject, from)?.into_iter().map(Into::into).collect();
    let (dependents, transitive_dependents) = dependents::find(connection, source, subject)?;
    let counts = || {
        let of_tokens = by_token.iter().map(|one| (one.delivered, one.refused, one.first, one.last));
        of_tokens.chain(by_address.iter().map(|one| (one.delivered, one.refused, one.first, one.last)))
    };
    let mut notes = notes(&reach, *since, *published_at, by_token.is_empty() && by_address.is_empty());
    let is_cut = |length: usize| i64::try_from(length).is_ok_and(|length| length >= LIMIT);
    if is_cut(by_token.len()) || is_cut(by_address.len()) || is_cut(transitive_dependents.len()) {
        notes.push(format!("A list has more than {LIMIT} rows: only the first ones are shown."));
    }
    Ok(Exposure {
        upstream: Some(subject.upstream.clone()).filter(|upstream| !upstream.is_empty()),
        krate: subject.name.to_string(),
        version: subject.version.as_ref().map(ToString::to_string),
        published_at: *published_at,
        log: reach.into(),
        notes,
        delivered: counts().map(|(delivered, ..)| delivered).sum(),
        refused: counts().map(|(_, refused, ..)| refused).sum(),
        first: counts().filter(|(delivered, ..)| *delivered > 0).map(|(_, _, first, _)| first).min(),
        last: counts().filter(|(delivered, ..)| *delivered > 0).map(|(.., last)| last).max(),
        by_token,
        by_address,
        dependents,
        transitive_dependents,
    })
}

impl From<Coverage> for LogReach {
    fn from(Coverage { tokens_since, others_since, lost, lost_at }: Coverage) -> Self {
        Self { tokens_since, others_since, lost, lost_at }
    }
}

impl From<ByToken> for DownloadsByToken {
    fn from(one: ByToken) -> Self {
        let ByToken { version, login, token_id, token_name, addresses, delivered, refused, first, last } = one;
        Self { version, user: login, token_id, token_name, addresses, delivered, refused, first, last }
    }
}

impl From<ByAddress> for DownloadsByAddress {
    fn from(one: ByAddress) -> Self {
        let ByAddress { version, address, user_agent, delivered, refused, first, last } = one;
        Self { version, address, user_agent, delivered, refused, first, last }
    }
}
