//! Lists of crates without a search text.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::BoxedSqlQuery;
use diesel::sql_types::{Array, BigInt, Integer, Text, Timestamptz};

use super::categories::family;
use super::found::{Found, FoundId};
use super::query::{After, Filter, Only, Page, SearchQuery, Sort};
use super::totals::Totals;
use crate::database::registry_counts::{self, Count};

type Statement = BoxedSqlQuery<'static, Pg, diesel::query_builder::SqlQuery>;

pub(super) fn list(
    connection: &mut PgConnection,
    query: &SearchQuery,
    page: Page,
    totals: &Totals,
) -> QueryResult<Found> {
    let total = total(connection, &query.filter, totals)?;
    Ok(Found { crate_ids: ids(connection, query, page)?, total })
}

/// The number of crates with one condition, which the database keeps, or with several, which are counted.
fn total(connection: &mut PgConnection, filter: &Filter, totals: &Totals) -> QueryResult<i64> {
    match (filter, filter.only.as_slice()) {
        (Filter { category: None, without_yanked, .. }, []) => {
            let kept = if *without_yanked { Count::Usable } else { Count::Crates };
            registry_counts::read(connection, [kept]).map(|[total]| total)
        }
        (Filter { category: Some(category), without_yanked: false, .. }, []) => {
            registry_counts::crates_in_category(connection, category)
        }
        (Filter { category: None, without_yanked: false, .. }, [Only::Keywords(keywords)]) if keywords.len() == 1 => {
            registry_counts::crates_with_keyword(connection, &keywords[0])
        }
        _ => {
            let counting = "SELECT count(*) AS total FROM crates WHERE version_count > 0";
            totals.of(&format!("{filter:?}"), || {
                let statement = diesel::sql_query(counting).into_boxed();
                with_filter(statement, filter, &family_of(connection, filter)?, 1).get_result(connection)
            })
        }
    }
}

/// The crates of a page.
pub(super) fn ids(connection: &mut PgConnection, query: &SearchQuery, page: Page) -> QueryResult<Vec<i32>> {
    let found: Vec<FoundId> = match (query.sort, query.filter.is_empty()) {
        (Sort::Downloads, true) => paged(by_downloads("downloads", query), page).load(connection)?,
        (Sort::RecentDownloads, true) => paged(by_downloads("recent", query), page).load(connection)?,
        (sort, _) => {
            let listing = format!("SELECT crates.id FROM crates {} WHERE version_count > 0", join(sort));
            let (statement, next) = after(diesel::sql_query(listing).into_boxed(), query.after.as_ref());
            let family = family_of(connection, &query.filter)?;
            paged(with_filter(statement, &query.filter, &family, next).sql(order(sort)), page).load(connection)?
        }
    };
    Ok(found.into_iter().map(|one| one.id).collect())
}

fn by_downloads(column: &str, query: &SearchQuery) -> Statement {
    let statement = diesel::sql_query("SELECT crate_id AS id FROM crate_downloads WHERE shown").into_boxed();
    after(statement, query.after.as_ref()).0.sql(format!(" ORDER BY {column} DESC, crate_id"))
}

/// Adds the condition for the crates after this one, which the index of the order finds. Returns the number of the next
/// parameter as well.
fn after(statement: Statement, last: Option<&After>) -> (Statement, usize) {
    let older = |column: &str, at: DateTime<Utc>, id: i32, statement: Statement| {
        let condition = format!(" AND (crates.{column}, crates.id) < ($1, $2)");
        statement.sql(condition).bind::<Timestamptz, _>(at).bind::<Integer, _>(id)
    };
    match last {
        None => (statement, 1),
        Some(After::Name(name)) => {
            (statement.sql(" AND canonical_name COLLATE \"C\" > $1").bind::<Text, _>(name.clone()), 2)
        }
        Some(After::New(at, id)) => (older("created_at", *at, *id, statement), 3),
        Some(After::Updated(at, id)) => (older("updated_at", *at, *id, statement), 3),
        Some(After::Downloads(downloads, id)) => (fewer(statement, "downloads", *downloads, *id), 3),
        Some(After::RecentDownloads(downloads, id)) => (fewer(statement, "recent", *downloads, *id), 3),
    }
}

fn fewer(statement: Statement, column: &str, downloads: i64, id: i32) -> Statement {
    statement
        .sql(format!(" AND {column} <= $1 AND ({column} < $1 OR crate_id > $2)"))
        .bind::<BigInt, _>(downloads)
        .bind::<Integer, _>(id)
}

/// The join that an order needs.
pub(super) fn join(sort: Sort) -> &'static str {
    match sort {
        Sort::Downloads | Sort::RecentDownloads => {
            "JOIN crate_downloads ON crate_downloads.crate_id = crates.id AND shown"
        }
        _ => "",
    }
}

/// The ORDER BY clause. It is unambiguous, so pages do not overlap.
pub(super) fn order(sort: Sort) -> &'static str {
    match sort {
        Sort::Relevance | Sort::Alphabetical => " ORDER BY canonical_name COLLATE \"C\"",
        Sort::Downloads => " ORDER BY downloads DESC, crates.id",
        Sort::RecentDownloads => " ORDER BY recent DESC, crates.id",
        Sort::RecentUpdates => " ORDER BY crates.updated_at DESC, crates.id DESC",
        Sort::New => " ORDER BY crates.created_at DESC, crates.id DESC",
    }
}

/// The category of a filter and its subcategories. They are read before the crates, and not by a part of that statement:
/// the planner takes the index only if it sees how many crates have them.
pub(super) fn family_of(connection: &mut PgConnection, filter: &Filter) -> QueryResult<Vec<String>> {
    filter.category.as_ref().map_or(Ok(Vec::new()), |category| family(connection, category))
}

/// Adds the conditions of a filter, with the family of its category. `next` is the number of the next parameter.
pub(super) fn with_filter(mut statement: Statement, filter: &Filter, family: &[String], mut next: usize) -> Statement {
    let mut number = || {
        next += 1;
        next - 1
    };
    if filter.category.is_some() {
        statement = statement.sql(format!(" AND categories && ${}", number())).bind::<Array<Text>, _>(family.to_vec());
    }
    if filter.without_yanked {
        statement = statement.sql(" AND NOT crates.yanked");
    }
    for only in &filter.only {
        statement = with_condition(statement, only, &format!("${}", number()));
    }
    statement
}

/// Adds a condition, whose value is the parameter at this place.
fn with_condition(statement: Statement, only: &Only, place: &str) -> Statement {
    match only {
        Only::Keywords(keywords) => {
            statement.sql(format!(" AND keywords @> {place}")).bind::<Array<Text>, _>(keywords.clone())
        }
        Only::Beginning(beginning) => statement
            // No name has a character after `z`.
            .sql(format!(
                " AND canonical_name COLLATE \"C\" >= {place} AND canonical_name COLLATE \"C\" < {place} || '{{'"
            ))
            .bind::<Text, _>(beginning.clone()),
        Only::Owner(user) => statement
            .sql(format!(" AND crates.id IN (SELECT crate_id FROM crate_owners WHERE user_id = {place})"))
            .bind::<Integer, _>(*user),
        Only::Team(team) => statement
            .sql(format!(" AND crates.id IN (SELECT crate_id FROM crate_team_owners WHERE team_id = {place})"))
            .bind::<Integer, _>(*team),
        Only::Names(names) => statement
            .sql(format!(
                " AND canonical_name = ANY (SELECT replace(lower(name), '-', '_') FROM unnest({place}) AS name)"
            ))
            .bind::<Array<Text>, _>(names.clone()),
    }
}

/// Adds limit and offset. They are numbers, so they need no parameters.
pub(super) fn paged(statement: Statement, page: Page) -> Statement {
    statement.sql(format!(" LIMIT {} OFFSET {}", page.limit, page.offset))
}
