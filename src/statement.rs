//! SQL statements with a constant text, prepared once in each session. Diesel's own `sql_query` is parsed and planned each
//! time, which takes PostgreSQL longer than running a statement on a few rows.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// A statement with `$1`, `$2` and so on, each once and in this order.
pub(crate) struct Statement<'a> {
    text: String,
    values: Vec<Box<dyn QueryFragment<Pg> + Send + 'a>>,
}

/// Diesel's `sql_query`, but prepared. For a small number of texts.
pub(crate) fn statement<'a>(text: impl Into<String>) -> Statement<'a> {
    Statement { text: text.into(), values: Vec::new() }
}

impl<'a> Statement<'a> {
    pub(crate) fn bind<T, V>(mut self, value: V) -> Self
    where
        Pg: HasSqlType<T>,
        T: Send + 'a,
        V: ToSql<T, Pg> + Send + 'a,
    {
        self.values.push(Box::new(Value { value, of: PhantomData::<T> }));
        self
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut rest = &*self.text;
        for (number, value) in (1..).zip(&self.values) {
            let place = format!("${number}");
            let (before, after) = rest.split_once(&place).expect("a place for each value"); // see `Statement`
            out.push_sql(before);
            value.walk_ast(out.reborrow())?;
            rest = after;
        }
        out.push_sql(rest);
        Ok(())
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}

impl<C> RunQueryDsl<C> for Statement<'_> {}

struct Value<T, V> {
    value: V,
    of: PhantomData<T>,
}

impl<T, V> QueryFragment<Pg> for Value<T, V>
where
    Pg: HasSqlType<T>,
    V: ToSql<T, Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param(&self.value)
    }
}
