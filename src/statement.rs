//! SQL statements with a constant text, prepared once in each session. Diesel's own `sql_query` is parsed and planned each
//! time, which takes PostgreSQL longer than running a statement on a few rows.

use std::marker::PhantomData;

use diesel::pg::{Pg, PgQueryBuilder};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryBuilder, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// Settings of a session that keeps the plans of its statements, each of which finds few rows by an index. A plan is made
/// when a table is small and used when it is large, so nothing that reads a whole table or a whole index may look cheap.
pub(crate) const KEPT_PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // What cannot be avoided counts as dear, and what is dear would be compiled.
    ("jit", "off"),
];

/// A statement with `$1`, `$2` and so on, each once and in this order.
pub(crate) struct Statement<'a> {
    text: String,
    values: Vec<Box<dyn QueryFragment<Pg> + Send + 'a>>,
}

/// Diesel's `sql_query`, but prepared. For a small number of texts.
pub(crate) fn statement<'a>(text: impl Into<String>) -> Statement<'a> {
    Statement { text: text.into(), values: Vec::new() }
}

/// A statement whose columns are read by their places. `T` has their types.
pub(crate) struct Typed<'a, T> {
    statement: Statement<'a>,
    of: PhantomData<T>,
}

/// The columns of a struct, as the text of a statement names them: `"crates"."id", "crates"."name"` and so on.
pub(crate) fn columns<T: Selectable<Pg, SelectExpression: QueryFragment<Pg>>>() -> String {
    let mut text = PgQueryBuilder::default();
    T::construct_selection().to_sql(&mut text, &Pg).expect("names of columns are valid SQL"); // nothing is bound
    text.finish()
}

impl<'a> Statement<'a> {
    /// Reads the columns by their places, with these types.
    pub(crate) fn returning<T>(self) -> Typed<'a, T> {
        Typed { statement: self, of: PhantomData }
    }

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

impl<T> QueryFragment<Pg> for Typed<'_, T> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.statement.walk_ast(out)
    }
}

impl<T> QueryId for Typed<'_, T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T> Query for Typed<'_, T> {
    type SqlType = T;
}

impl<T, C> RunQueryDsl<C> for Typed<'_, T> {}

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
