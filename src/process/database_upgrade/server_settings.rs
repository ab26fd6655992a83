//! Settings of the server that an operator changed: those of its files, and those of the role and the database.

use std::collections::BTreeMap;

use super::catalog::text;
use crate::postgres::session::{Session, SessionError};

/// Settings that are lists of names. Their values are quoted already.
const LISTS: [&str; 2] = ["search_path", "temp_tablespaces"];

/// Settings that name files of the old cluster.
const OF_THE_CLUSTER: [&str; 4] = ["data_directory", "hba_file", "ident_file", "external_pid_file"];

/// Moves what differs from the new server's own. Returns sentences about what could not be moved.
pub(super) fn copy(old: &mut Session, new: &mut Session) -> Result<Vec<String>, SessionError> {
    let mut left = Vec::new();
    let (changed, own) = (in_files(old)?, in_files(new)?);
    for (name, value) in changed.iter().filter(|(name, value)| own.get(*name) != Some(*value)) {
        // A library may be missing, and then the server would not start.
        if name.ends_with("_libraries") {
            left.push(format!("the setting {name} = {value} was left out: set it again if its library is installed"));
            continue;
        }
        let value = if LISTS.contains(&name.as_str()) { value.clone() } else { literal(value) };
        let statement = format!("ALTER SYSTEM SET {} = {value}", quoted(name));
        if let Err(error) = new.execute(&statement) {
            left.push(format!("the setting {name} = {value} was left out, because the new server refuses it: {error}"));
        }
    }
    for (whose, name, value) in of_role_and_database(old)? {
        let value = if LISTS.contains(&name.as_str()) { value } else { literal(&value) };
        let statement = format!("ALTER {whose} SET {} = {value}", quoted(&name));
        // Without its library, no session could be opened.
        let refused = if name.ends_with("_libraries") { None } else { Some(new.execute(&statement)) };
        match refused {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                left.push(format!("`{statement}` was left out, because the new server refuses it: {error}"))
            }
            None => left.push(format!("`{statement}` was left out: run it again if the library is installed")),
        }
    }
    Ok(left)
}

/// The settings of `postgresql.conf` and `postgresql.auto.conf`, without those that the program passes on the command line.
fn in_files(session: &mut Session) -> Result<BTreeMap<String, String>, SessionError> {
    let rows = session.query(
        "SELECT f.name, f.setting FROM pg_file_settings f JOIN pg_settings s ON lower(s.name) = lower(f.name)
         WHERE f.error IS NULL AND s.source <> 'command line' ORDER BY f.seqno",
    )?;
    // The last one counts.
    let settings = rows.iter().map(|row| (text(row, 0), text(row, 1)));
    Ok(settings.filter(|(name, _)| !OF_THE_CLUSTER.contains(&name.as_str())).collect())
}

/// The settings of the role and of the database: whose, the name, the value.
fn of_role_and_database(session: &mut Session) -> Result<Vec<(String, String, String)>, SessionError> {
    let rows = session.query(
        "SELECT CASE WHEN role.rolname IS NULL AND base.datname IS NULL THEN 'ROLE ALL'
                WHEN role.rolname IS NULL THEN format('DATABASE %I', base.datname)
                WHEN base.datname IS NULL THEN format('ROLE %I', role.rolname)
                ELSE format('ROLE %I IN DATABASE %I', role.rolname, base.datname) END,
            split_part(one, '=', 1), substr(one, strpos(one, '=') + 1)
         FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS one
         LEFT JOIN pg_roles role ON role.oid = s.setrole LEFT JOIN pg_database base ON base.oid = s.setdatabase",
    )?;
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1), text(row, 2))).collect())
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A name with its namespace, if it has one, in quotes.
fn quoted(name: &str) -> String {
    name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect::<Vec<_>>().join(".")
}
