//! Lists of crates without a search text.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::BoxedSqlQuery;
use diesel::sql_types::{Array, Integer, Text};

use super::found::{Count, Found, FoundId};
use super::query::{Filter, Page, SearchQuery, Sort};
use super::totals::Totals;

type Statement = BoxedSqlQuery<'static, Pg, diesel::query_builder::SqlQuery>;

pub(super) fn list(
    connection: &mut PgConnection,
    query: &SearchQuery,
    page: Page,
    totals: &Totals,
) -> QueryResult<Found> {
    // The index of downloads contains only crates that are shown. It is the smallest, and the fastest to count.
    let total = if query.filter.is_empty() {
        let counting = "SELECT count(*) AS total FROM crate_downloads WHERE shown";
        totals.of("", || diesel::sql_query(counting).get_result(connection))?
    } else {
        let counting = "SELECT count(*) AS total FROM crates WHERE version_count > 0";
        filtered(counting, &query.filter).get_result::<Count>(connection)?.total
    };
    let found: Vec<FoundId> = match (query.sort, query.filter.is_empty()) {
        (Sort::Downloads, true) => paged(by_downloads("downloads"), page).load(connection)?,
        (Sort::RecentDownloads, true) => paged(by_downloads("recent"), page).load(connection)?,
        (sort, _) => {
            let statement =
                filtered(&format!("SELECT id FROM crates {} WHERE version_count > 0", join(sort)), &query.filter);
            paged(statement.sql(order(sort)), page).load(connection)?
        }
    };
    Ok(Found { crate_ids: found.into_iter().map(|one| one.id).collect(), total })
}

fn by_downloads(column: &str) -> Statement {
    let statement = format!("SELECT crate_id AS id FROM crate_downloads WHERE shown ORDER BY {column} DESC, crate_id");
    diesel::sql_query(statement).into_boxed()
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

/// A statement on `crates` with the conditions of a filter.
fn filtered(statement: &str, filter: &Filter) -> Statement {
    with_filter(diesel::sql_query(statement.to_owned()).into_boxed(), filter, 1)
}

/// Adds the conditions of a filter. `next` is the number of the next parameter.
pub(super) fn with_filter(mut statement: Statement, filter: &Filter, mut next: usize) -> Statement {
    let mut number = || {
        next += 1;
        next - 1
    };
    if let Some(keyword) = &filter.keyword {
        statement = statement.sql(format!(" AND keywords @> ARRAY[${}]", number())).bind::<Text, _>(keyword.clone());
    }
    if let Some(category) = &filter.category {
        statement = statement.sql(format!(" AND categories @> ARRAY[${}]", number())).bind::<Text, _>(category.clone());
    }
    if let Some(names) = &filter.names {
        statement = statement
            .sql(format!(
                " AND canonical_name = ANY (SELECT replace(lower(name), '-', '_') FROM unnest(${}) AS name)",
                number()
            ))
            .bind::<Array<Text>, _>(names.clone());
    }
    if let Some(owner) = filter.owner {
        statement = statement
            .sql(format!(" AND crates.id IN (SELECT crate_id FROM crate_owners WHERE user_id = ${})", number()))
            .bind::<Integer, _>(owner);
    }
    statement
}

/// Adds limit and offset. They are numbers, so they need no parameters.
pub(super) fn paged(statement: Statement, page: Page) -> Statement {
    statement.sql(format!(" LIMIT {} OFFSET {}", page.limit, page.offset))
}
