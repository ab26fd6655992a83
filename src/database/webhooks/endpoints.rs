//! The webhooks: where they are, what they receive, and whether deliveries are paused.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text};

use crate::database::schema::{crate_team_owners, crates, teams, users, webhooks};
use crate::database::types::TextArray;
use crate::package::CrateName;
use crate::webhook::Secret;
use crate::webhook::event_type::EventPattern;

/// What has paused the webhooks of a restored registry.
pub const RESTORE: &str = "restore";

/// What the events of a webhook are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Everything,
    Crate {
        id: i32,
        name: CrateName,
    },
    /// The crates of a team, and its members.
    Team {
        id: i32,
        name: String,
    },
}

/// Why no deliveries are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub at: DateTime<Utc>,
    /// Who paused it; None for the registry, because deliveries failed for days.
    pub by: Option<String>,
    pub reason: Option<String>,
}

/// A webhook, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub id: i32,
    pub url: String,
    pub description: Option<String>,
    pub subject: Subject,
    pub events: Vec<EventPattern>,
    /// Until when messages have the signature of the previous secret, too.
    pub previous_until: Option<DateTime<Utc>>,
    /// A login; None for an operator.
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub pause: Option<Pause>,
}

/// A webhook to add.
#[derive(Clone, Debug)]
pub struct NewWebhook<'a> {
    pub url: &'a str,
    pub description: Option<&'a str>,
    pub subject: &'a Subject,
    pub events: &'a [EventPattern],
    pub secret: &'a Secret,
    pub created_by: Option<i32>,
}

/// Which webhooks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    OfCrate(i32),
    OfTeam(i32),
    One(i32),
}

type Row = (
    (i32, String, Option<String>, TextArray<EventPattern>, Option<DateTime<Utc>>, DateTime<Utc>),
    (Option<DateTime<Utc>>, Option<String>, Option<String>),
    Option<(i32, CrateName)>,
    Option<(i32, String)>,
    Option<String>,
);

fn webhook(row: Row) -> Webhook {
    let ((id, url, description, events, previous_until, created_at), (paused_at, by, reason), krate, team, login) = row;
    let subject = match (krate, team) {
        (Some((id, name)), _) => Subject::Crate { id, name },
        (None, Some((id, name))) => Subject::Team { id, name },
        (None, None) => Subject::Everything,
    };
    let pause = paused_at.map(|at| Pause { at, by, reason });
    let previous_until = previous_until.filter(|until| *until > Utc::now());
    Webhook { id, url, description, subject, events: events.0, previous_until, created_by: login, created_at, pause }
}

/// Lists webhooks in the order of their numbers.
pub fn list(connection: &mut PgConnection, which: Which) -> QueryResult<Vec<Webhook>> {
    let query = webhooks::table
        .left_join(crates::table)
        .left_join(teams::table)
        .left_join(users::table)
        .filter(webhooks::crate_is_deleted.eq(false))
        .order(webhooks::id)
        .select((
            (
                webhooks::id,
                webhooks::url,
                webhooks::description,
                webhooks::events,
                webhooks::previous_until,
                webhooks::created_at,
            ),
            (webhooks::paused_at, webhooks::paused_by, webhooks::pause_reason),
            (crates::id, crates::name).nullable(),
            (teams::id, teams::name).nullable(),
            users::login.nullable(),
        ))
        .into_boxed();
    let query = match which {
        Which::All => query,
        Which::OfCrate(id) => query.filter(webhooks::crate_id.eq(id)),
        Which::OfTeam(id) => query.filter(webhooks::team_id.eq(id)),
        Which::One(id) => query.filter(webhooks::id.eq(id)),
    };
    let rows: Vec<Row> = query.load(connection)?;
    Ok(rows.into_iter().map(webhook).collect())
}

/// The webhook with a number.
pub fn find(connection: &mut PgConnection, id: i32) -> QueryResult<Option<Webhook>> {
    Ok(list(connection, Which::One(id))?.pop())
}

/// How many there are of a crate, of a team, or of everything.
pub fn count_alike(connection: &mut PgConnection, subject: &Subject) -> QueryResult<i64> {
    let query = webhooks::table.filter(webhooks::crate_is_deleted.eq(false)).count();
    match subject {
        Subject::Everything => {
            query.filter(webhooks::crate_id.is_null().and(webhooks::team_id.is_null())).get_result(connection)
        }
        Subject::Crate { id, .. } => query.filter(webhooks::crate_id.eq(id)).get_result(connection),
        Subject::Team { id, .. } => query.filter(webhooks::team_id.eq(id)).get_result(connection),
    }
}

/// Adds a webhook.
pub fn add(connection: &mut PgConnection, new: &NewWebhook<'_>) -> QueryResult<i32> {
    let (krate, team) = match new.subject {
        Subject::Everything => (None, None),
        Subject::Crate { id, .. } => (Some(*id), None),
        Subject::Team { id, .. } => (None, Some(*id)),
    };
    diesel::insert_into(webhooks::table)
        .values((
            webhooks::url.eq(new.url),
            webhooks::description.eq(new.description),
            webhooks::crate_id.eq(krate),
            webhooks::team_id.eq(team),
            webhooks::events.eq(TextArray(new.events.to_vec())),
            webhooks::secret.eq(new.secret.as_bytes()),
            webhooks::created_by.eq(new.created_by),
        ))
        .returning(webhooks::id)
        .get_result(connection)
}

/// What to change of a webhook; None: it stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes<'a> {
    pub url: Option<&'a str>,
    /// An empty one is removed.
    pub description: Option<Option<&'a str>>,
    pub events: Option<&'a [EventPattern]>,
}

/// Changes a webhook, whose row is [locked](lock).
pub fn update(connection: &mut PgConnection, id: i32, changes: &Changes<'_>) -> QueryResult<()> {
    let events = changes.events.map(|events| TextArray(events.to_vec()));
    if changes.url.is_none() && changes.description.is_none() && events.is_none() {
        return Ok(());
    }
    diesel::update(webhooks::table.find(id))
        .set((
            changes.url.map(|url| webhooks::url.eq(url)),
            changes.description.map(|text| webhooks::description.eq(text)),
            events.map(|events| webhooks::events.eq(events)),
        ))
        .execute(connection)
        .map(drop)
}

/// Gives a webhook another secret. Until then messages have the signature of the one before as well.
pub fn rotate(connection: &mut PgConnection, id: i32, secret: &Secret, until: DateTime<Utc>) -> QueryResult<()> {
    diesel::update(webhooks::table.find(id))
        .set((
            webhooks::previous_secret.eq(webhooks::secret.nullable()),
            webhooks::previous_until.eq(until),
            webhooks::secret.eq(secret.as_bytes()),
        ))
        .execute(connection)
        .map(drop)
}

/// Removes a webhook with what waits for it. Its jobs find nothing and end.
pub fn remove(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    diesel::delete(webhooks::table.find(id)).execute(connection).map(|removed| removed > 0)
}

/// Locks the rows of webhooks in the order of their numbers until the transaction ends, so that none is paused or resumed, and none
/// of their deliveries ends, meanwhile; returns those that are not paused.
pub fn lock(connection: &mut PgConnection, ids: &[i32]) -> QueryResult<Vec<i32>> {
    let rows: Vec<(i32, bool)> = webhooks::table
        .filter(webhooks::id.eq_any(ids))
        .order(webhooks::id)
        .select((webhooks::id, webhooks::paused_at.is_null()))
        .for_no_key_update()
        .load(connection)?;
    Ok(rows.into_iter().filter(|(_, is_active)| *is_active).map(|(id, _)| id).collect())
}

/// Pauses a webhook whose row is locked: its jobs do nothing from then on. `by` is None for the registry, which does not
/// change a pause that is there; others give it another reason. False if nothing changed.
pub fn pause(connection: &mut PgConnection, id: i32, by: Option<&str>, reason: Option<&str>) -> QueryResult<bool> {
    let paused = diesel::sql_query(
        "UPDATE webhooks SET paused_at = coalesce(paused_at, now()), paused_by = $2, pause_reason = $3
         WHERE id = $1 AND (paused_at IS NULL OR ($2 IS NOT NULL AND (paused_by, pause_reason) IS DISTINCT FROM ($2, $3)))",
    )
    .bind::<Integer, _>(id)
    .bind::<Nullable<Text>, _>(by)
    .bind::<Nullable<Text>, _>(reason)
    .execute(connection)?;
    Ok(paused > 0)
}

/// Pauses all webhooks of a restored registry; returns how many were not paused before.
pub fn pause_all(connection: &mut PgConnection, reason: &str) -> QueryResult<usize> {
    connection.transaction(|connection| {
        let ids: Vec<i32> = webhooks::table.select(webhooks::id).order(webhooks::id).load(connection)?;
        let active = lock(connection, &ids)?;
        for &id in &active {
            pause(connection, id, Some(RESTORE), Some(reason))?;
        }
        Ok(active.len())
    })
}

/// Ends the pause of a webhook whose row is locked; false if there was none.
pub fn end_pause(connection: &mut PgConnection, id: i32) -> QueryResult<bool> {
    diesel::update(webhooks::table.filter(webhooks::id.eq(id).and(webhooks::paused_at.is_not_null())))
        .set((
            webhooks::paused_at.eq(None::<DateTime<Utc>>),
            webhooks::paused_by.eq(None::<String>),
            webhooks::pause_reason.eq(None::<String>),
        ))
        .execute(connection)
        .map(|resumed| resumed > 0)
}

/// A webhook that may receive an event: its number, and the types that it receives.
pub type Candidate = (i32, TextArray<EventPattern>);

/// The webhooks that receive events of a crate: its own, those of its teams and of others that the event names, and those of
/// everything.
pub fn of_crate(connection: &mut PgConnection, name: &CrateName, named: &[&str]) -> QueryResult<Vec<Candidate>> {
    let canonical = name.canonical();
    let is_of_crate = exists(
        crates::table
            .filter(crates::id.nullable().eq(webhooks::crate_id))
            .filter(crates::canonical_name.eq(canonical.clone())),
    );
    let is_of_its_team = exists(
        crate_team_owners::table
            .inner_join(crates::table)
            .filter(crate_team_owners::team_id.nullable().eq(webhooks::team_id))
            .filter(crates::canonical_name.eq(canonical)),
    );
    let names: Vec<String> = named.iter().map(|name| name.to_lowercase()).collect();
    let is_named = exists(
        teams::table
            .filter(teams::id.nullable().eq(webhooks::team_id))
            .filter(sql::<Bool>("lower(teams.name) = ANY(").bind::<Array<Text>, _>(names).sql(")")),
    );
    webhooks::table
        .filter(webhooks::crate_is_deleted.eq(false))
        .filter(
            is_named
                .or(is_of_crate.or(is_of_its_team).or(webhooks::crate_id.is_null().and(webhooks::team_id.is_null()))),
        )
        .order(webhooks::id)
        .select((webhooks::id, webhooks::events))
        .load(connection)
}

/// The webhooks that receive events of a team, named in any case, and those of everything.
pub fn of_team(connection: &mut PgConnection, name: &str) -> QueryResult<Vec<Candidate>> {
    diesel::sql_query(
        "SELECT webhooks.id, webhooks.events FROM webhooks LEFT JOIN teams ON teams.id = team_id
         WHERE (crate_id IS NULL AND team_id IS NULL) OR lower(teams.name) = lower($1) ORDER BY webhooks.id",
    )
    .bind::<Text, _>(name)
    .load::<CandidateRow>(connection)
    .map(|rows| rows.into_iter().map(|row| (row.id, row.events)).collect())
}

#[derive(QueryableByName)]
struct CandidateRow {
    #[diesel(sql_type = Integer)]
    id: i32,
    #[diesel(sql_type = Array<Text>)]
    events: TextArray<EventPattern>,
}

/// The webhooks of everything.
pub fn of_everything(connection: &mut PgConnection) -> QueryResult<Vec<Candidate>> {
    webhooks::table
        .filter(webhooks::crate_id.is_null().and(webhooks::team_id.is_null()))
        .order(webhooks::id)
        .select((webhooks::id, webhooks::events))
        .load(connection)
}

/// The webhooks of crates that were deleted, which receive nothing but that.
pub fn of_deleted(connection: &mut PgConnection, name: &CrateName) -> QueryResult<Vec<Candidate>> {
    webhooks::table
        .inner_join(crates::table)
        .filter(webhooks::crate_is_deleted.eq(true))
        .filter(crates::canonical_name.eq(name.canonical()))
        // The deletion of the next crate of the name is not for it.
        .filter(sql::<Bool>(
            "NOT EXISTS (SELECT FROM webhook_deliveries JOIN webhook_events AS event ON event.id = event_id
                         WHERE webhook_id = webhooks.id AND event.type = 'crate.deleted')",
        ))
        .order(webhooks::id)
        .select((webhooks::id, webhooks::events))
        .load(connection)
}

/// A webhook that was removed with its crate.
#[derive(QueryableByName, Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    #[diesel(sql_type = Integer)]
    pub id: i32,
    #[diesel(sql_type = Text)]
    pub url: String,
    #[diesel(sql_type = Text)]
    pub krate: CrateName,
}

/// Removes the webhooks of deleted crates that have received the event, or that are paused.
pub fn remove_of_deleted(connection: &mut PgConnection) -> QueryResult<Vec<Removed>> {
    diesel::sql_query(
        "DELETE FROM webhooks USING crates
         WHERE crates.id = crate_id AND crate_is_deleted AND (
             paused_at IS NOT NULL OR (
                 NOT EXISTS (SELECT FROM webhook_outbox
                             WHERE entry->>'action' = 'crate-delete'
                                   AND replace(lower(entry->>'crate_name'), '-', '_') = crates.canonical_name)
                 AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = webhooks.id AND delivered_at IS NULL)))
         RETURNING webhooks.id, webhooks.url, crates.name AS krate",
    )
    .load(connection)
}
