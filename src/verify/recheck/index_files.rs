//! The second check of an index file that no crate of the database has.

use crate::database::catalog::crates;
use crate::package::CrateName;
use crate::package::index_path::index_path;
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// Reads the file first and the row afterwards: a row that does not exist now did not exist when the file was written.
pub fn recheck(context: &Context<'_>, path: &str, name: Option<&CrateName>) -> Result<Vec<Difference>, VerifyError> {
    if context.is_pending(&[path])? {
        return Ok(Vec::new());
    }
    let head = context.index.head()?;
    if context.index.find(&head, path)?.is_none() {
        return Ok(Vec::new());
    }
    let Some(name) = name else {
        return Ok(vec![Difference::new(Kind::UnexpectedFile, "a file", "no file").at(path)]);
    };
    let known = context.database(|connection| crates::names_like(connection, &[name]))?;
    if known.iter().any(|known| index_path(known) == path) {
        return Ok(Vec::new());
    }
    let expected = match known.first() {
        Some(other) => format!("no file: the crate is called {other}"),
        None => "a crate in the database, or no file".to_owned(),
    };
    let mut difference = Difference::new(Kind::UnknownCrate, "a file", expected).at(path);
    difference.crate_name = Some(name.to_string());
    Ok(vec![difference])
}
