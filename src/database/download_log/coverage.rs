//! Since when the log of downloads has all of them.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{BigInt, Text};
use strum::{EnumString, IntoStaticStr};

use crate::database::schema::download_log_settings;

/// Which downloads are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
#[strum(serialize_all = "kebab-case")]
pub enum Scope {
    None,
    /// Those with a token.
    Tokens,
    All,
}

impl ToSql<Text, Pg> for Scope {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let text: &'static str = self.into();
        <str as ToSql<Text, Pg>>::to_sql(text, out)
    }
}

impl FromSql<Text, Pg> for Scope {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Pg>>::from_sql(value)?;
        text.parse().map_err(|_| format!("{text:?} is no scope of the download log").into())
    }
}

/// What was logged from a time on.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = download_log_settings)]
pub struct Setting {
    pub at: DateTime<Utc>,
    pub scope: Scope,
    retention_seconds: i64,
    lost: i64,
    lost_at: Option<DateTime<Utc>>,
}

impl Setting {
    /// How long entries are kept.
    pub fn retention(&self) -> TimeDelta {
        TimeDelta::try_seconds(self.retention_seconds).unwrap_or(TimeDelta::MAX)
    }
}

/// Since when the log has which downloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Those with a token; None if they are not logged now.
    pub tokens_since: Option<DateTime<Utc>>,
    /// Those without; None if they are not logged now.
    pub others_since: Option<DateTime<Utc>>,
    /// How many of that time could not be logged, and when that was last.
    pub lost: i64,
    pub lost_at: Option<DateTime<Utc>>,
}

impl Coverage {
    /// What a list of settings, the oldest first, amounts to.
    fn of(settings: &[Setting], now: DateTime<Utc>) -> Self {
        let since = |least: Scope| {
            let unbroken = settings.iter().rev().take_while(|setting| setting.scope >= least).count();
            let place = settings.len() - unbroken;
            let began = settings.get(place)?.at;
            // Until when each setting has removed entries.
            let ends = settings.iter().skip(1).map(|next| next.at).chain([now]);
            let removed = settings.iter().zip(ends).skip(place);
            let removed = removed.filter_map(|(setting, end)| end.checked_sub_signed(setting.retention())).max();
            Some(removed.map_or(began, |removed| removed.max(began)))
        };
        let tokens_since = since(Scope::Tokens);
        let counted = settings.iter().filter(|setting| setting.lost_at.is_some_and(|at| Some(at) >= tokens_since));
        let (lost, lost_at) =
            counted.fold((0, None), |(lost, at), setting| (lost + setting.lost, at.max(setting.lost_at)));
        let is_on = tokens_since.is_some();
        Self {
            tokens_since,
            others_since: since(Scope::All),
            lost: if is_on { lost } else { 0 },
            lost_at: lost_at.filter(|_| is_on),
        }
    }
}

/// Since when the log has which downloads.
pub fn read(connection: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Coverage> {
    Ok(Coverage::of(&all(connection)?, now))
}

fn all(connection: &mut PgConnection) -> QueryResult<Vec<Setting>> {
    download_log_settings::table.order(download_log_settings::id).select(Setting::as_select()).load(connection)
}

/// The last setting, if there was any.
pub fn last(connection: &mut PgConnection) -> QueryResult<Option<Setting>> {
    let newest_first = download_log_settings::table.order(download_log_settings::id.desc());
    newest_first.select(Setting::as_select()).first(connection).optional()
}

/// Notes what is logged from now on, unless that is so already, or nothing ever was; the setting that counts then.
pub fn set(connection: &mut PgConnection, scope: Scope, retention: Option<TimeDelta>) -> QueryResult<Option<Setting>> {
    connection.transaction(|connection| {
        diesel::sql_query("LOCK TABLE download_log_settings IN SHARE ROW EXCLUSIVE MODE").execute(connection)?;
        let last = last(connection)?;
        let retention = retention.map(|retention| retention.num_seconds().max(1));
        let Some(retention) = retention.or(last.as_ref().map(|last| last.retention_seconds)) else { return Ok(None) };
        if let Some(last) = last.filter(|last| (last.scope, last.retention_seconds) == (scope, retention)) {
            return Ok(Some(last));
        }
        diesel::insert_into(download_log_settings::table)
            .values((download_log_settings::scope.eq(scope), download_log_settings::retention_seconds.eq(retention)))
            .returning(Setting::as_returning())
            .get_result(connection)
            .map(Some)
    })
}

/// Notes that downloads could not be logged.
pub fn add_lost(connection: &mut PgConnection, count: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE download_log_settings SET lost = lost + $1, lost_at = clock_timestamp()
         WHERE id = (SELECT max(id) FROM download_log_settings)",
    )
    .bind::<BigInt, _>(count)
    .execute(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn setting(at: i64, scope: Scope, retention: i64) -> Setting {
        let retention_seconds = retention * 24 * 3600;
        Setting { at: day(at), scope, retention_seconds, lost: 0, lost_at: None }
    }

    fn since(settings: &[Setting]) -> [Option<DateTime<Utc>>; 2] {
        let Coverage { tokens_since, others_since, .. } = Coverage::of(settings, day(100));
        [tokens_since, others_since]
    }

    #[test]
    fn the_log_reaches_back_to_when_it_was_last_turned_on_or_as_long_as_it_keeps_entries() {
        use Scope::{All, None as Off, Tokens};
        assert_eq!(since(&[]), [None, None]);
        assert_eq!(since(&[setting(90, Tokens, 30)]), [Some(day(90)), None]);
        assert_eq!(since(&[setting(10, All, 30)]), [Some(day(70)); 2]);
        assert_eq!(since(&[setting(10, All, 30), setting(99, Off, 30)]), [None, None]);
        let again = [setting(10, All, 365), setting(50, Off, 365), setting(60, Tokens, 365), setting(80, All, 365)];
        assert_eq!(since(&again), [Some(day(60)), Some(day(80))]);
        // What a shorter retention has removed does not come back.
        assert_eq!(since(&[setting(10, All, 7), setting(95, All, 365)]), [Some(day(88)); 2]);
    }

    #[test]
    fn what_was_lost_counts_while_the_log_reaches_back_to_it() {
        let lost = |at: i64, retention: i64| {
            let setting = Setting { lost: 5, lost_at: Some(day(at)), ..setting(10, Scope::Tokens, retention) };
            Coverage::of(&[setting], day(100)).lost
        };
        assert_eq!((lost(95, 30), lost(20, 30), lost(20, 365)), (5, 0, 5));
    }
}
