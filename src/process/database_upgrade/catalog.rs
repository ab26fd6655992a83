//! What is in a database: its tables, sequences and settings, and every object by name.

use std::collections::BTreeSet;

use crate::postgres::session::{Row, Session, SessionError};

/// Makes values look the same in both servers, whatever their defaults are.
const UNIFORM: &str = "
    SET client_encoding = 'UTF8'; SET client_min_messages = 'warning'; SET DateStyle = 'ISO, YMD';
    SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET TimeZone = 'UTC';
    SET standard_conforming_strings = on; SET statement_timeout = 0; SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0; SET row_security = off; SET search_path = pg_catalog, public";

/// Namespaces of users.
const OWN: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'";

/// Every object that a user can create, one per row: what it is, and its name. Names of constraints that are NOT NULL are
/// left out, because only newer servers have them.
const OBJECTS: &str = "
    WITH member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
    SELECT 'the database ' || datname FROM pg_database WHERE datname NOT IN ('template0', 'template1', 'postgres', 'supercargo')
    UNION ALL SELECT 'the role ' || rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'
    UNION ALL SELECT 'the extension ' || extname FROM pg_extension
    UNION ALL SELECT 'the schema ' || n.nspname FROM pg_namespace n WHERE {OWN}
    UNION ALL SELECT
        CASE c.relkind WHEN 'r' THEN 'the table ' WHEN 'v' THEN 'the view ' WHEN 'm' THEN 'the materialized view '
            WHEN 'S' THEN 'the sequence ' WHEN 'i' THEN 'the index ' ELSE 'the relation ' END
        || n.nspname || '.' || c.relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OWN} AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
    UNION ALL SELECT 'the column ' || n.nspname || '.' || c.relname || '.' || a.attname || ' ('
            || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ', not null)' ELSE ')' END
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OWN} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'the constraint ' || conname || ' of ' || n.nspname || '.' || c.relname
        FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OWN} AND contype <> 'n'
    UNION ALL SELECT 'the trigger ' || tgname || ' of ' || n.nspname || '.' || c.relname
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OWN} AND NOT tgisinternal
    UNION ALL SELECT 'the function ' || n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {OWN} AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
    UNION ALL SELECT 'the type ' || n.nspname || '.' || t.typname
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE {OWN} AND t.typtype IN ('e', 'd') AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)";

/// A table whose rows are moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Quoted, with its namespace.
    pub(super) name: String,
    /// Quoted, without those that PostgreSQL computes.
    pub(super) columns: String,
    /// What orders the rows.
    pub(super) order: String,
}

/// The state of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) name: String,
    pub(super) last_value: String,
    pub(super) is_called: bool,
}

/// Opens a session in which values look the same as in every other one.
pub(super) fn open(url: &str) -> Result<Session, SessionError> {
    let mut session = Session::connect(url)?;
    session.execute(UNIFORM)?;
    Ok(session)
}

/// Every object of users in the cluster, as texts such as `the table public.crates`.
pub(super) fn objects(session: &mut Session) -> Result<BTreeSet<String>, SessionError> {
    Ok(session.query(&OBJECTS.replace("{OWN}", OWN))?.into_iter().map(|row| text(&row, 0)).collect())
}

/// All tables. Columns are in the order of their names: that of the table may depend on its history.
pub(super) fn tables(session: &mut Session) -> Result<Vec<Table>, SessionError> {
    let columns =
        "FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''";
    let rows = session.query(&format!(
        "SELECT format('%I.%I', n.nspname, c.relname),
            coalesce((SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE \"C\") {columns}), ''),
            (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY place)
                FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS key(num, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.num
                WHERE i.indrelid = c.oid AND i.indisprimary)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND {OWN} ORDER BY 1"
    ))?;
    let tables = rows.into_iter().map(|row| {
        let columns = text(&row, 1);
        // Without a primary key, the rows themselves are compared as texts.
        let order = row.get(2).cloned().flatten().unwrap_or_else(|| format!("ROW({columns})::text COLLATE \"C\""));
        Table { name: text(&row, 0), columns, order }
    });
    Ok(tables.collect())
}

/// The number of rows of a table.
pub(super) fn count(session: &mut Session, table: &Table) -> Result<u64, SessionError> {
    let rows = session.query(&format!("SELECT count(*) FROM {}", table.name))?;
    Ok(rows.first().and_then(|row| text(row, 0).parse().ok()).unwrap_or(0))
}

/// All sequences and their states.
pub(super) fn sequences(session: &mut Session) -> Result<Vec<Sequence>, SessionError> {
    let names = session.query(&format!(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'S' AND {OWN} ORDER BY 1"
    ))?;
    let mut found = Vec::with_capacity(names.len());
    for name in names.iter().map(|row| text(row, 0)) {
        for row in session.query(&format!("SELECT last_value, is_called FROM {name}"))? {
            found.push(Sequence { name: name.clone(), last_value: text(&row, 0), is_called: text(&row, 1) == "t" });
        }
    }
    Ok(found)
}

/// Indexes that belong to no constraint, each with the statement that creates it.
pub(super) fn plain_indexes(session: &mut Session) -> Result<Vec<(String, String)>, SessionError> {
    let rows = session.query(&format!(
        "SELECT format('%I.%I', n.nspname, c.relname), pg_get_indexdef(c.oid)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {OWN} AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = c.oid) ORDER BY 1"
    ))?;
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

/// The migrations that were applied; empty for a database without the schema.
pub(super) fn migrations(session: &mut Session) -> Result<BTreeSet<String>, SessionError> {
    let exists = session.query("SELECT to_regclass('public.__diesel_schema_migrations') IS NOT NULL")?;
    if exists.first().is_none_or(|row| text(row, 0) != "t") {
        return Ok(BTreeSet::new());
    }
    let rows = session.query("SELECT version FROM public.__diesel_schema_migrations")?;
    Ok(rows.iter().map(|row| text(row, 0)).collect())
}

/// The version of the server, such as `15.18`.
pub(super) fn version(session: &mut Session) -> Result<String, SessionError> {
    let rows = session.query("SELECT split_part(current_setting('server_version'), ' ', 1)")?;
    Ok(rows.first().map(|row| text(row, 0)).unwrap_or_default())
}

/// A column of a row; empty for NULL.
pub(super) fn text(row: &Row, column: usize) -> String {
    row.get(column).cloned().flatten().unwrap_or_default()
}
