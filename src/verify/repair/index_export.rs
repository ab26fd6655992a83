//! Writing a file of the index's copy in a bucket again.

use diesel::Connection;

use super::outcome::Outcome;
use crate::jobs::index_export::{ExportError, mend, owe};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

pub fn write(context: &Context<'_>, difference: &Difference) -> Result<Outcome, VerifyError> {
    let (Some(destination), Some(path)) = (&context.settings.index_export, difference.path.as_deref()) else {
        return Ok(Outcome::Left("the place of the file is not known".to_owned()));
    };
    let mended = context.pool.with(|connection| {
        if !owe(connection, destination)? {
            return Ok(false);
        }
        connection.transaction::<_, ExportError, _>(|connection| mend(connection, context.index, destination, path))
    })?;
    Ok(match mended {
        Ok(true) if difference.kind == Kind::ForeignExportedFile => Outcome::Done("removed from the bucket".to_owned()),
        Ok(true) => Outcome::Done("written to the bucket".to_owned()),
        Ok(false) => Outcome::Left("another process exports the index: try again when it is done".to_owned()),
        Err(error) => Outcome::Left(error.to_string()),
    })
}
