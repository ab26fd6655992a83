//! The log of every change: who, with which token, from where, what and when. An entry is written in the transaction of
//! its change, so that there is none without the other.

use chrono::{DateTime, Datelike, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use serde::Serialize;
use serde_json::Value;

use crate::database::schema::audit_log;
use crate::package::{CrateName, Version};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Publish,
    Yank,
    Unyank,
    VersionDelete,
    OwnerAdd,
    OwnerRemove,
    TokenCreate,
    TokenRevoke,
    UserCreate,
    UserPromote,
    UserDemote,
    TeamCreate,
    TeamDelete,
    TeamMemberAdd,
    TeamMemberRemove,
    CrateLimits,
    NameReserve,
    NameRelease,
    Repair,
    Import,
}

impl Action {
    pub const ALL: [Self; 20] = [
        Self::Publish,
        Self::Yank,
        Self::Unyank,
        Self::VersionDelete,
        Self::OwnerAdd,
        Self::OwnerRemove,
        Self::TokenCreate,
        Self::TokenRevoke,
        Self::UserCreate,
        Self::UserPromote,
        Self::UserDemote,
        Self::TeamCreate,
        Self::TeamDelete,
        Self::TeamMemberAdd,
        Self::TeamMemberRemove,
        Self::CrateLimits,
        Self::NameReserve,
        Self::NameRelease,
        Self::Repair,
        Self::Import,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Yank => "yank",
            Self::Unyank => "unyank",
            Self::VersionDelete => "version-delete",
            Self::OwnerAdd => "owner-add",
            Self::OwnerRemove => "owner-remove",
            Self::TokenCreate => "token-create",
            Self::TokenRevoke => "token-revoke",
            Self::UserCreate => "user-create",
            Self::UserPromote => "user-promote",
            Self::UserDemote => "user-demote",
            Self::TeamCreate => "team-create",
            Self::TeamDelete => "team-delete",
            Self::TeamMemberAdd => "team-member-add",
            Self::TeamMemberRemove => "team-member-remove",
            Self::CrateLimits => "crate-limits",
            Self::NameReserve => "name-reserve",
            Self::NameRelease => "name-release",
            Self::Repair => "repair",
            Self::Import => "import",
        }
    }
}

/// The longest name of an operator, in characters.
pub const MAX_OPERATOR: usize = 320;

/// Who did it: an operator, or a user by an [`Authority`](super::caller::Authority).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The login, or the operator's account on the machine.
    pub name: String,
    /// None for an operator.
    pub(super) user_id: Option<i32>,
    /// The token's number and name.
    pub(super) token: Option<(i32, String)>,
    /// Where the request came from.
    pub(super) address: Option<String>,
    /// What the request is called in the log; None for an operator.
    pub request_id: Option<String>,
}

impl Actor {
    /// Somebody at the command line of the machine, named `account@host`. The system sets no limit to the name of an account,
    /// and an index of the log does.
    pub fn operator(account: String) -> Self {
        Self {
            name: account.chars().take(MAX_OPERATOR).collect(),
            user_id: None,
            token: None,
            address: None,
            request_id: None,
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    action: Action,
    crate_name: Option<&'a CrateName>,
    version: Option<&'a Version>,
    subject: Option<&'a str>,
    detail: Value,
}

impl<'a> Event<'a> {
    pub fn new(action: Action) -> Self {
        Self { action, crate_name: None, version: None, subject: None, detail: Value::Object(Default::default()) }
    }

    pub fn of_crate(self, name: &'a CrateName) -> Self {
        Self { crate_name: Some(name), ..self }
    }

    pub fn of_version(self, version: &'a Version) -> Self {
        Self { version: Some(version), ..self }
    }

    /// The user, team or token that it was done to.
    pub fn about(self, subject: &'a str) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// More, as a JSON object.
    pub fn detail(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// Writes the entry.
    pub fn record(self, connection: &mut PgConnection, actor: &Actor) -> QueryResult<()> {
        let (token_id, token_name) = actor.token.as_ref().map(|(id, name)| (*id, name.as_str())).unzip();
        diesel::insert_into(audit_log::table)
            .values((
                audit_log::action.eq(self.action.as_str()),
                audit_log::actor.eq(&actor.name),
                audit_log::user_id.eq(actor.user_id),
                audit_log::token_id.eq(token_id),
                audit_log::token_name.eq(token_name),
                audit_log::address.eq(&actor.address),
                audit_log::crate_name.eq(self.crate_name.map(CrateName::as_str)),
                audit_log::version.eq(self.version.map(ToString::to_string)),
                audit_log::subject.eq(self.subject),
                audit_log::detail.eq(self.detail),
            ))
            .execute(connection)
            .map(drop)
    }
}

/// An entry as it is read.
#[derive(Queryable, Selectable, Serialize, Clone, Debug, utoipa::ToSchema)]
#[diesel(table_name = audit_log)]
#[schema(as = AuditEntry)]
pub struct Record {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// What was done: `publish`, `yank`, `owner-add` and so on.
    #[schema(example = "publish")]
    pub action: String,
    /// The login of the user, or `account@host` of an operator.
    pub actor: String,
    /// None for an operator.
    pub user_id: Option<i32>,
    pub token_id: Option<i32>,
    pub token_name: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    #[serde(rename = "crate")]
    pub crate_name: Option<String>,
    pub version: Option<String>,
    /// The user, team or token that it was done to.
    pub subject: Option<String>,
    pub detail: Value,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub crate_name: Option<CrateName>,
    pub actor: Option<String>,
    pub action: Option<String>,
    pub since: Option<DateTime<Utc>>,
    /// Only entries before this one, for the next page.
    pub before: Option<i64>,
}

/// Entries, newest first.
pub fn list(connection: &mut PgConnection, filter: &Filter, limit: i64) -> QueryResult<Vec<Record>> {
    let mut query = audit_log::table.select(Record::as_select()).order(audit_log::id.desc()).limit(limit).into_boxed();
    if let Some(name) = &filter.crate_name {
        query = query.filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(sql::<Bool>("lower(actor) = lower(").bind::<Text, _>(actor.clone()).sql(")"));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit_log::action.eq(action));
    }
    // PostgreSQL has no times that are much older than year 0, and a time before all entries leaves nothing out.
    if let Some(since) = filter.since.filter(|since| since.year() > 0) {
        query = query.filter(audit_log::at.ge(since));
    }
    if let Some(before) = filter.before {
        query = query.filter(audit_log::id.lt(before));
    }
    query.load(connection)
}

/// The action of that name.
pub fn action(name: &str) -> Option<Action> {
    Action::ALL.into_iter().find(|action| action.as_str() == name)
}

/// The user who published a version, as far as the log tells and there is still such a user.
pub fn publisher(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<i32>> {
    use crate::database::schema::users;
    audit_log::table
        .inner_join(users::table.on(audit_log::user_id.eq(users::id.nullable())))
        .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
        .filter(audit_log::action.eq(Action::Publish.as_str()))
        .filter(audit_log::version.eq(num.to_string()))
        .order(audit_log::id.desc())
        .select(users::id)
        .first(connection)
        .optional()
}

/// Why a version was deleted, if the log tells that it was.
pub fn deletion_reason(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<String>> {
    let detail: Option<Value> = audit_log::table
        .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
        .filter(audit_log::action.eq(Action::VersionDelete.as_str()))
        .filter(audit_log::version.eq(num.to_string()))
        .order(audit_log::id.desc())
        .select(audit_log::detail)
        .first(connection)
        .optional()?;
    Ok(detail.map(|detail| detail["reason"].as_str().unwrap_or("the log tells no reason").to_owned()))
}

/// Who owns a crate by what the log tells: who made it, who was added, and not who was removed. Logins, and teams as
/// `team:NAME`, the first one first.
pub fn owners_told(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<String>> {
    let mut owners: Vec<String> = Vec::new();
    let told: Vec<Record> = audit_log::table
        .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
        .filter(audit_log::action.eq_any([Action::Publish, Action::OwnerAdd, Action::OwnerRemove].map(Action::as_str)))
        .order(audit_log::id)
        .select(Record::as_select())
        .load(connection)?;
    for entry in told {
        match (&*entry.action, entry.subject) {
            ("publish", _) if entry.detail["new_crate"] == true => owners.push(entry.actor),
            ("owner-add", Some(owner)) => owners.push(owner),
            ("owner-remove", Some(owner)) => owners.retain(|one| *one != owner),
            _ => {}
        }
    }
    let mut seen = std::collections::HashSet::new();
    owners.retain(|owner| seen.insert(owner.clone()));
    Ok(owners)
}
