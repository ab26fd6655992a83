//! Moves everything into a new cluster: the schema by the program's migrations, the rows by COPY, in one transaction.

use diesel::{Connection, PgConnection};

use super::catalog::{self, Table};
use crate::backup::Progress;
use crate::database::migrations;
use crate::fault;
use crate::postgres::session::Session;
use crate::process::CommandError;

/// How many objects an error names.
const NAMED: usize = 10;
/// Rows are counted in steps of this size, because a step of the progress bar costs more than a row.
const STEP: u64 = 1000;

/// Creates the schema with the migrations of the old database, no more and no less.
pub(super) fn create_schema(old: &mut Session, new_url: &str) -> Result<(), CommandError> {
    let applied = catalog::migrations(old)?;
    let mut connection = PgConnection::establish(new_url)?;
    Ok(migrations::apply(&mut connection, &applied)?)
}

/// Refuses a database in which something was created that this program does not know and would leave behind.
pub(super) fn refuse_unknown(old: &mut Session, new: &mut Session) -> Result<(), CommandError> {
    let (in_old, in_new) = (catalog::objects(old)?, catalog::objects(new)?);
    let unknown: Vec<_> = in_old.difference(&in_new).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let shown = unknown.iter().take(NAMED).map(|object| object.as_str()).collect::<Vec<_>>().join(", ");
    let more = unknown.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(CommandError::new(format!(
        "the database has objects that supercargo did not create and does not move: {shown}{more}: remove them, or upgrade \
         with `supercargo backup` and `supercargo restore`, which keep what is in the registry's database \
         (docs/postgresql.md)"
    )))
}

/// Copies all rows and the states of the sequences. `old` is in a transaction with one snapshot.
pub(super) fn copy(old: &mut Session, new: &mut Session, tables: &[Table], rows: u64) -> Result<(), CommandError> {
    new.execute("BEGIN; SET LOCAL session_replication_role = 'replica'; SET LOCAL maintenance_work_mem = '128MB'")?;
    // Migrations inserted some rows.
    let names = tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        new.execute(&format!("TRUNCATE {names}"))?;
    }
    // Indexes are built faster from all rows than row by row.
    let indexes = catalog::plain_indexes(new)?;
    for (name, _) in &indexes {
        new.execute(&format!("DROP INDEX {name}"))?;
    }
    let progress = Progress::of_count("rows copied", rows);
    for table in tables {
        copy_table(old, new, table, &progress)?;
        fault::point("upgrade.copying")?;
    }
    drop(progress);
    let progress = Progress::of_count("indexes built", indexes.len() as u64);
    for (_, definition) in &indexes {
        new.execute(definition)?;
        progress.advance(1);
    }
    for sequence in catalog::sequences(old)? {
        let name = sequence.name.replace('\'', "''");
        new.execute(&format!("SELECT setval('{name}', {}, {})", sequence.last_value, sequence.is_called))?;
    }
    new.execute("COMMIT")?;
    Ok(new.execute("ANALYZE")?)
}

fn copy_table(old: &mut Session, new: &mut Session, table: &Table, progress: &Progress) -> Result<(), CommandError> {
    let Table { name, columns, .. } = table;
    let mut lines = old.copy_out(&format!("COPY {name} ({columns}) TO STDOUT"))?;
    let mut intake = new.copy_in(&format!("COPY {name} ({columns}) FROM STDIN"))?;
    let mut copied = 0;
    while let Some(line) = lines.next_line()? {
        intake.put(&line)?;
        copied += 1;
        if copied % STEP == 0 {
            progress.advance(STEP);
        }
    }
    progress.advance(copied % STEP);
    intake.finish()?;
    Ok(())
}
