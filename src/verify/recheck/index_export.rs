//! The check of a file of the index's copy in a bucket: no export runs meanwhile.

use std::time::{Duration, Instant};

use bytes::Bytes;
use diesel::Connection;

use crate::jobs::index_export::{ExportError, look};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// The pause between two attempts to get the lock of an export.
const POLL: Duration = Duration::from_millis(200);

/// The difference of the object at a path, if it is there. An export that runs longer than the verification waits will have
/// compared the file itself.
pub fn recheck(context: &Context<'_>, path: &str) -> Result<Option<Difference>, VerifyError> {
    let Some(destination) = &context.settings.index_export else { return Ok(None) };
    let start = Instant::now();
    let exported = loop {
        let looked = context.pool.with(|connection| {
            connection.transaction::<_, ExportError, _>(|connection| look(connection, context.index, destination, path))
        })?;
        let is_over = start.elapsed() > context.settings.patience || context.is_stopped();
        match looked {
            Ok(Some(exported)) => break exported,
            Ok(None) if is_over => return Ok(None),
            // A mirror is behind until it is fetched.
            Ok(None) | Err(ExportError::Behind(_)) if !is_over => std::thread::sleep(POLL),
            looked => {
                looked?;
                return Ok(None);
            }
        }
    };
    let size = |content: &Bytes| format!("a file of {} bytes", content.len());
    let none = || "no object".to_owned();
    let difference = match (&exported.expected, &exported.found) {
        (expected, found) if expected == found => return Ok(None),
        (Some(expected), None) => Difference::new(Kind::MissingExportedFile, none(), size(expected)),
        (None, Some(found)) => Difference::new(Kind::ForeignExportedFile, size(found), none()),
        (Some(expected), Some(found)) => Difference::new(Kind::StaleExportedFile, size(found), size(expected)),
        (None, None) => return Ok(None),
    };
    Ok(Some(difference.at(path)))
}
