//! An index file as all machines share it in the database: what is known of it as JSON, and its bytes with gzip.

use std::io::{Read, Write};

use diesel::PgConnection;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::kept_file::{KeptFile, Known};
use crate::database::upstream_sharing::index_files::{self, Row};
use crate::fault;

/// A file of the database, and the revision by which it is replaced. A damaged one has no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFile {
    pub file: Option<KeptFile>,
    pub revision: i64,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SharedFileError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error("it cannot be put into a form for the database: {0}")]
    Form(String),
    #[error(transparent)]
    Fault(#[from] fault::Fault),
}

/// The file at a path.
pub fn read(connection: &mut PgConnection, upstream: &str, path: &str) -> Result<Option<SharedFile>, SharedFileError> {
    let found = index_files::read(connection, upstream, path)?;
    Ok(found.map(|row| SharedFile { file: parse(&row), revision: row.revision }))
}

/// Writes a file in place of the one with this revision, or of none. The new revision; None if there is another file by now.
pub fn write(
    connection: &mut PgConnection,
    (upstream, path): (&str, &str),
    file: &KeptFile,
    former: Option<i64>,
) -> Result<Option<i64>, SharedFileError> {
    let (known, content) = form(file).map_err(SharedFileError::Form)?;
    fault::point("upstream.index_unwritten")?;
    let written = index_files::write(connection, (upstream, path), (&known, &content), former)?;
    fault::point("upstream.index_written")?;
    Ok(written)
}

/// Writes anew what is known of a file, whose content stays.
pub fn note(
    connection: &mut PgConnection,
    of: (&str, &str),
    revision: i64,
    known: &Known,
) -> Result<(), SharedFileError> {
    let known = serde_json::to_string(known).map_err(|error| SharedFileError::Form(error.to_string()))?;
    Ok(index_files::note(connection, of, revision, &known)?)
}

fn form(file: &KeptFile) -> Result<(String, Vec<u8>), String> {
    let known = serde_json::to_string(&file.known).map_err(|error| error.to_string())?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let content = encoder.write_all(&file.content).and_then(|()| encoder.finish());
    Ok((known, content.map_err(|error| error.to_string())?))
}

fn parse(row: &Row) -> Option<KeptFile> {
    let known: Known = serde_json::from_str(&row.known).ok()?;
    let mut content = Vec::with_capacity(known.size.min(row.content.len().saturating_mul(32)));
    // A byte more than it should have: a bomb gets no further.
    let limit = (known.size as u64).saturating_add(1);
    GzDecoder::new(&*row.content).take(limit).read_to_end(&mut content).ok()?;
    (content.len() == known.size).then(|| KeptFile { known, content: content.into() })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_file_is_what_it_was_and_a_damaged_one_is_none() {
        let line = "{\"name\":\"foo\",\"vers\":\"1.0.0\",\"cksum\":\"00\"}\n";
        let file = KeptFile::sent(Bytes::from(line.repeat(1000)), (Some("\"e\"".to_owned()), None), None);
        let (known, content) = form(&file).unwrap();
        assert!(content.len() < 2000, "{}", content.len());
        let row = |known: &str, content: &[u8]| Row {
            path: "3/f/foo".to_owned(),
            revision: 1,
            known: known.to_owned(),
            content: content.to_owned(),
        };
        assert_eq!(parse(&row(&known, &content)), Some(file.clone()));
        let other_size = known.replace(&file.content.len().to_string(), "7");
        for damaged in [row("{", &content), row(&known, &content[..100]), row(&known, b""), row(&other_size, &content)]
        {
            assert_eq!(parse(&damaged), None);
        }
        let empty = KeptFile::sent(Bytes::new(), (None, None), Some(&file));
        let (known, content) = form(&empty).unwrap();
        assert_eq!(parse(&row(&known, &content)), Some(empty));
    }
}
