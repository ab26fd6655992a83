//! What people have decided about crates and versions of upstreams: that they may pass, or may not.

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use strum::{EnumString, IntoStaticStr};

use crate::database::schema::upstream_rules;
use crate::package::Version;
use crate::package::crate_pattern::CratePattern;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, strum::Display, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
#[strum(serialize_all = "kebab-case")]
pub enum Decision {
    /// Shows and delivers it however young it is.
    Allow,
    /// Shows it as yanked, and delivers it only if it is kept.
    Hold,
    /// Shows it as yanked, and delivers it never.
    Block,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl ToSql<Text, Pg> for Decision {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(self.as_str(), out)
    }
}

impl FromSql<Text, Pg> for Decision {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Pg>>::from_sql(value)?;
        text.parse().map_err(|_| format!("{text:?} is no decision about an upstream").into())
    }
}

/// A rule.
#[derive(Queryable, Selectable, Clone, Debug, PartialEq, Eq)]
#[diesel(table_name = upstream_rules)]
pub struct Rule {
    pub id: i32,
    pub upstream: String,
    /// The name of the crate in lower case with `_`, or the beginning of names, and `*`.
    pub canonical_name: String,
    pub crate_name: String,
    /// Empty for all versions.
    pub version: String,
    pub decision: Decision,
    pub reason: String,
    /// Who made it.
    pub actor: String,
    pub created_at: DateTime<Utc>,
}

/// What a rule is about: crates of an upstream, or one version of one crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub upstream: String,
    pub crates: CratePattern,
    pub version: Option<Version>,
}

/// A version belongs to one crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is for several crates, and {1} is the version of one: name the crate, or leave the version out")]
pub struct VersionOfSeveral(pub CratePattern, pub Version);

impl Subject {
    pub fn new(upstream: String, crates: CratePattern, version: Option<Version>) -> Result<Self, VersionOfSeveral> {
        match version {
            Some(version) if !crates.is_of_one() => Err(VersionOfSeveral(crates, version)),
            version => Ok(Self { upstream, crates, version }),
        }
    }

    fn version(&self) -> String {
        self.version.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

/// All rules, or those of an upstream, by crate and version.
pub fn list(connection: &mut PgConnection, upstream: Option<&str>) -> QueryResult<Vec<Rule>> {
    let mut query = upstream_rules::table
        .order((upstream_rules::upstream, upstream_rules::canonical_name, upstream_rules::version))
        .select(Rule::as_select())
        .into_boxed();
    if let Some(upstream) = upstream {
        query = query.filter(upstream_rules::upstream.eq(upstream.to_owned()));
    }
    query.load(connection)
}

/// Makes a rule, in place of the one about the same; None if there is the same rule for the same reason.
pub fn set(
    connection: &mut PgConnection,
    subject: &Subject,
    (decision, reason): (Decision, &str),
    actor: &str,
) -> QueryResult<Option<Rule>> {
    use diesel::query_dsl::methods::FilterDsl as _;
    diesel::insert_into(upstream_rules::table)
        .values((
            upstream_rules::upstream.eq(&subject.upstream),
            upstream_rules::canonical_name.eq(subject.crates.canonical_text()),
            upstream_rules::crate_name.eq(subject.crates.to_string()),
            upstream_rules::version.eq(subject.version()),
            upstream_rules::decision.eq(decision),
            upstream_rules::reason.eq(reason),
            upstream_rules::actor.eq(actor),
        ))
        .on_conflict((upstream_rules::upstream, upstream_rules::canonical_name, upstream_rules::version))
        .do_update()
        .set((
            upstream_rules::decision.eq(decision),
            upstream_rules::reason.eq(reason),
            upstream_rules::actor.eq(actor),
            upstream_rules::created_at.eq(diesel::dsl::now),
        ))
        .filter(upstream_rules::decision.ne(decision).or(upstream_rules::reason.ne(reason)))
        .returning(Rule::as_returning())
        .get_result(connection)
        .optional()
}

/// Removes the rule about something; None if there is none.
pub fn remove(connection: &mut PgConnection, subject: &Subject) -> QueryResult<Option<Rule>> {
    diesel::delete(upstream_rules::table)
        .filter(upstream_rules::upstream.eq(&subject.upstream))
        .filter(upstream_rules::canonical_name.eq(subject.crates.canonical_text()))
        .filter(upstream_rules::version.eq(subject.version()))
        .returning(Rule::as_returning())
        .get_result(connection)
        .optional()
}
