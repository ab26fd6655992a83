//! The list of advisories for people: those that count, by the newest id.

use diesel::dsl::count_star;
use diesel::pg::Pg;
use diesel::prelude::*;

use super::known::Known;
use crate::database::schema::advisories;

/// Which to list. An empty text is no condition.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// A part of the id, the title or the crate's name, in any case.
    pub text: String,
    pub upstream: Option<String>,
}

type Matching<'a> = advisories::BoxedQuery<'a, Pg>;

impl Search {
    fn matching<'a>(&self) -> Matching<'a> {
        let counts = advisories::withdrawn_at.is_null().and(advisories::vanished_at.is_null());
        let mut query = advisories::table.filter(counts).into_boxed();
        if let Some(upstream) = &self.upstream {
            query = query.filter(advisories::upstream.eq(upstream.clone()));
        }
        if !self.text.is_empty() {
            let pattern = format!("%{}%", self.text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
            // The spelling of a crate's name does not matter.
            let spelled = pattern.replace('-', "\\_");
            let matches = advisories::advisory_id
                .ilike(pattern.clone())
                .or(advisories::title.ilike(pattern))
                .or(advisories::canonical_name.ilike(spelled));
            query = query.filter(matches);
        }
        query
    }

    pub fn total(&self, connection: &mut PgConnection) -> QueryResult<i64> {
        self.matching().select(count_star()).first(connection)
    }

    pub fn page(&self, connection: &mut PgConnection, limit: i64, offset: i64) -> QueryResult<Vec<Known>> {
        self.matching()
            .order((advisories::advisory_id.desc(), advisories::upstream, advisories::canonical_name))
            .select(Known::as_select())
            .limit(limit)
            .offset(offset)
            .load(connection)
    }
}

/// All rows of an advisory of an upstream, also if it does not count any more.
pub fn with_id(connection: &mut PgConnection, id: &str, upstream: &str) -> QueryResult<Vec<Known>> {
    advisories::table
        .filter(advisories::advisory_id.eq(id).and(advisories::upstream.eq(upstream)))
        .order((advisories::upstream, advisories::canonical_name))
        .select(Known::as_select())
        .load(connection)
}
