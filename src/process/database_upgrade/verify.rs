//! Compares the new database with the old one: every row of every table, and the states of the sequences.

use super::catalog::{self, Table};
use crate::backup::Progress;
use crate::postgres::session::Session;
use crate::process::CommandError;

const STEP: u64 = 1000;

/// Compares everything; returns the number of rows. `old` is in the transaction in which its rows were copied.
pub(super) fn verify(old: &mut Session, new: &mut Session, tables: &[Table], rows: u64) -> Result<u64, CommandError> {
    if catalog::tables(new)? != tables {
        return Err(different("their tables are not the same"));
    }
    let (in_old, in_new) = (catalog::objects(old)?, catalog::objects(new)?);
    if let Some(object) = in_old.difference(&in_new).next() {
        return Err(different(&format!("{object} is missing in the new one")));
    }
    let progress = Progress::of_count("rows verified", rows);
    let mut compared = 0;
    for table in tables {
        compared += compare(old, new, table, &progress)?;
    }
    let (in_old, in_new) = (catalog::sequences(old)?, catalog::sequences(new)?);
    match in_old.iter().find(|sequence| !in_new.contains(sequence)) {
        Some(sequence) => Err(different(&format!("the sequence {} has another value", sequence.name))),
        None => Ok(compared),
    }
}

/// Compares a table row by row, both in the order of its key.
fn compare(old: &mut Session, new: &mut Session, table: &Table, progress: &Progress) -> Result<u64, CommandError> {
    let Table { name, columns, order } = table;
    let statement = format!("COPY (SELECT {columns} FROM {name} ORDER BY {order}) TO STDOUT");
    let mut rows = 0;
    let (mut expected, mut found) = (old.copy_out(&statement)?, new.copy_out(&statement)?);
    loop {
        match (expected.next_line()?, found.next_line()?) {
            (None, None) => break,
            (Some(one), Some(other)) if *one == *other => rows += 1,
            // The content may be secret.
            (Some(_), Some(_)) => {
                return Err(different(&format!("row {} of the table {name} has another content", rows + 1)));
            }
            (Some(_), None) => return Err(different(&format!("the table {name} has only {rows} rows"))),
            (None, Some(_)) => {
                return Err(different(&format!("the table {name} has more than the {rows} rows of the old one")));
            }
        }
        if rows % STEP == 0 {
            progress.advance(STEP);
        }
    }
    progress.advance(rows % STEP);
    Ok(rows)
}

fn different(what: &str) -> CommandError {
    CommandError::new(format!(
        "the new database differs from the old one: {what}: nothing was replaced, and the registry can be started as before; \
         check the disk and the memory of this machine, and run the upgrade again"
    ))
}
