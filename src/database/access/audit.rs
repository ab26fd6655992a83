//! The audit log of every change: actor, token, address, action and time. An entry is written in the transaction of its
//! change, so that each is only committed with the other.

use chrono::{DateTime, Datelike, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use serde::Serialize;
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::database::schema::audit_log;
use crate::package::{CrateName, Version};

/// The kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Action {
    Publish,
    Yank,
    Unyank,
    VersionDelete,
    CrateDelete,
    OwnerAdd,
    OwnerRemove,
    OwnerInvite,
    OwnerInviteDecline,
    OwnerInviteWithdraw,
    TokenCreate,
    TokenRevoke,
    UserCreate,
    UserPromote,
    UserDemote,
    UserDisable,
    UserEnable,
    UserRemove,
    TeamCreate,
    TeamDelete,
    TeamMemberAdd,
    TeamMemberRemove,
    CrateLimits,
    NameReserve,
    NameRelease,
    Repair,
    Import,
    SetCreate,
    SetUpdate,
    Stage,
    Unstage,
    SetApproval,
    SetOverride,
    SetApprove,
    SetRuleAdd,
    SetRuleRemove,
    SetReject,
    SetExpire,
    PublisherAdd,
    PublisherRemove,
    PublishingRestrict,
    PublishingUnrestrict,
    IssuerAdd,
    IssuerRemove,
    SignIn,
    SessionEnd,
    SignInLink,
    PasswordSet,
    PasswordRemove,
    IdentityAdd,
    IdentityRemove,
    UserRole,
    DeviceAllow,
    DeviceDeny,
    WebhookAdd,
    WebhookUpdate,
    WebhookRemove,
    WebhookPause,
    WebhookResume,
    WebhookSecret,
    EmailSet,
    EmailConfirm,
    EmailRemove,
    UpstreamAllow,
    UpstreamHold,
    UpstreamBlock,
    UpstreamRelease,
    UpstreamPin,
    UpstreamUnpin,
    UpstreamImport,
    UpstreamMismatch,
    UpstreamChange,
    UpstreamVanish,
    UpstreamAway,
    UpstreamBack,
    AdvisoriesAccept,
    AdvisoriesForget,
    AdvisoryAdd,
    AdvisoryEdit,
    AdvisoryWithdraw,
    DocsUpload,
    DocsDelete,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The longest name of an operator, in characters.
pub const MAX_OPERATOR: usize = 320;

/// The author of a change: an operator, or a user with an [`Authority`](super::caller::Authority).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The login, or `account@host` of an operator.
    pub name: String,
    /// None for an operator.
    pub(super) user_id: Option<i32>,
    /// The token's number and name.
    pub(super) token: Option<(i32, String)>,
    /// The address that the request came from.
    pub(super) address: Option<String>,
    /// The id of the request in the server log; None for an operator.
    pub request_id: Option<String>,
}

impl Actor {
    /// The registry itself.
    pub fn registry() -> Self {
        Self::operator("supercargo".to_owned())
    }

    /// An operator at the command line, named `account@host`. The name is cut to [`MAX_OPERATOR`] characters: the
    /// system does not limit it, but the log's database index does.
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

/// A change to record.
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

    /// The user, team or token that was changed.
    pub fn about(self, subject: &'a str) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Further details, as a JSON object.
    pub fn detail(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// The entry for a statement with [`LOGGED`].
    pub(in crate::database) fn entry(self, actor: &Actor) -> Value {
        let (token_id, token_name) = actor.token.as_ref().map(|(id, name)| (*id, name.as_str())).unzip();
        serde_json::json!({
            "action": self.action.as_str(),
            "actor": actor.name,
            "user_id": actor.user_id,
            "token_id": token_id,
            "token_name": token_name,
            "address": actor.address,
            "crate_name": self.crate_name.map(CrateName::as_str),
            "version": self.version.map(ToString::to_string),
            "subject": self.subject,
            "detail": self.detail,
        })
    }

    /// Writes the change to the log.
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

/// SQL: the common table expression `logged`, which adds [an entry](Event::entry) to the log, in a statement in which
/// `asked` has it as `audit`.
pub(in crate::database) const LOGGED: &str = "
    logged AS (
        INSERT INTO audit_log
            (action, actor, user_id, token_id, token_name, address, crate_name, version, subject, detail)
        SELECT entry.*
        FROM asked, jsonb_to_record(asked.audit) AS entry (
            action text, actor text, user_id integer, token_id integer, token_name text, address text, crate_name text,
            version text, subject text, detail jsonb))";

/// An entry of the log.
#[derive(Queryable, Selectable, Serialize, Clone, Debug, utoipa::ToSchema)]
#[diesel(table_name = audit_log)]
#[schema(as = AuditEntry)]
pub struct Record {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// The kind of change: `publish`, `yank`, `owner-add` and so on.
    #[schema(example = "publish")]
    pub action: String,
    /// The login of the user, or `account@host` of an operator.
    pub actor: String,
    /// None for an operator.
    pub user_id: Option<i32>,
    pub token_id: Option<i32>,
    pub token_name: Option<String>,
    /// The address that the request came from.
    pub address: Option<String>,
    #[serde(rename = "crate")]
    pub crate_name: Option<String>,
    pub version: Option<String>,
    /// The user, team or token that was changed.
    pub subject: Option<String>,
    pub detail: Value,
}

/// The conditions on listed entries.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub crate_name: Option<CrateName>,
    pub actor: Option<String>,
    pub action: Option<Action>,
    pub since: Option<DateTime<Utc>>,
    /// Only entries older than this one, for the next page.
    pub before: Option<i64>,
}

/// How often a user has made a kind of change since a time.
pub fn count(connection: &mut PgConnection, action: Action, login: &str, since: DateTime<Utc>) -> QueryResult<i64> {
    audit_log::table
        .filter(sql::<Bool>("lower(actor) = lower(").bind::<Text, _>(login).sql(")"))
        .filter(audit_log::action.eq(action.as_str()).and(audit_log::at.gt(since)))
        .count()
        .get_result(connection)
}

/// Lists entries, the newest first.
pub fn list(connection: &mut PgConnection, filter: &Filter, limit: i64) -> QueryResult<Vec<Record>> {
    let mut query = audit_log::table.select(Record::as_select()).order(audit_log::id.desc()).limit(limit).into_boxed();
    if let Some(name) = &filter.crate_name {
        query = query.filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(sql::<Bool>("lower(actor) = lower(").bind::<Text, _>(actor.clone()).sql(")"));
    }
    if let Some(action) = filter.action {
        query = query.filter(audit_log::action.eq(action.as_str()));
    }
    // PostgreSQL has no times much older than the year 0, and a time before all entries excludes none.
    if let Some(since) = filter.since.filter(|since| since.year() > 0) {
        query = query.filter(audit_log::at.ge(since));
    }
    if let Some(before) = filter.before {
        query = query.filter(audit_log::id.lt(before));
    }
    query.load(connection)
}

/// The user who published a version, if the log has the publish and the user still exists.
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

/// The reason of a version's deletion, if the log has the deletion of the version or of its crate.
pub fn deletion_reason(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<String>> {
    let of_version = audit_log::action.eq(Action::VersionDelete.as_str()).and(audit_log::version.eq(num.to_string()));
    let with_crate = audit_log::action
        .eq(Action::CrateDelete.as_str())
        .and(sql::<Bool>("detail->'versions' @> to_jsonb(").bind::<Text, _>(num.to_string()).sql("::text)"));
    let detail: Option<Value> = audit_log::table
        .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
        .filter(of_version.assume_not_null().or(with_crate))
        .order(audit_log::id.desc())
        .select(audit_log::detail)
        .first(connection)
        .optional()?;
    Ok(detail.map(|detail| reason_in(&detail)))
}

fn reason_in(detail: &Value) -> String {
    detail["reason"].as_str().unwrap_or("no reason in the audit log").to_owned()
}

/// The message of a version's yank, if the log has the yank.
pub fn yank_message(connection: &mut PgConnection, name: &CrateName, num: &Version) -> QueryResult<Option<String>> {
    let detail: Option<Value> = audit_log::table
        .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
        .filter(audit_log::action.eq_any([Action::Yank, Action::Unyank].map(Action::as_str)))
        .filter(audit_log::version.eq(num.to_string()))
        .order(audit_log::id.desc())
        .select(audit_log::detail)
        .first(connection)
        .optional()?;
    Ok(detail.and_then(|detail| Some(detail["message"].as_str()?.to_owned())))
}

/// The deletion of a crate that the log has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedDeletion {
    pub at: DateTime<Utc>,
    pub reason: String,
    pub name_released: bool,
}

/// The last deletion of a crate, if the log has it and no publish under its name since then.
pub fn crate_deletion(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Option<LoggedDeletion>> {
    let entries: Vec<Record> =
        audit_log::table
            .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
            .filter(audit_log::action.eq_any(
                [Action::Publish, Action::Import, Action::CrateDelete, Action::NameRelease].map(Action::as_str),
            ))
            .order(audit_log::id)
            .select(Record::as_select())
            .load(connection)?;
    let mut last: Option<LoggedDeletion> = None;
    for Record { at, action, detail, .. } in entries {
        match &*action {
            "crate-delete" => {
                let name_released = detail["name_released"] == true;
                last = Some(LoggedDeletion { at, reason: reason_in(&detail), name_released });
            }
            "publish" | "import" => last = None,
            _ => last.iter_mut().for_each(|deletion| deletion.name_released = true),
        }
    }
    Ok(last)
}

/// The owners of a crate according to the log: the user who created it and the owners who were added, without those who
/// were removed, and since its last deletion. Logins, and teams as `team:NAME`, in the order of their addition.
pub fn logged_owners(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<String>> {
    let mut owners: Vec<String> = Vec::new();
    let changes: Vec<Record> =
        audit_log::table
            .filter(sql::<Bool>("replace(lower(crate_name), '-', '_') = ").bind::<Text, _>(name.canonical()))
            .filter(audit_log::action.eq_any(
                [Action::Publish, Action::OwnerAdd, Action::OwnerRemove, Action::CrateDelete].map(Action::as_str),
            ))
            .order(audit_log::id)
            .select(Record::as_select())
            .load(connection)?;
    for entry in changes {
        match (&*entry.action, entry.subject) {
            ("publish", _) if entry.detail["new_crate"] == true => owners.push(entry.actor),
            ("owner-add", Some(owner)) => owners.push(owner),
            ("crate-delete", _) => owners.clear(),
            ("owner-remove", Some(owner)) => owners.retain(|one| *one != owner),
            _ => {}
        }
    }
    let mut seen = std::collections::HashSet::new();
    owners.retain(|owner| seen.insert(owner.clone()));
    Ok(owners)
}
