//! A package with much source.

use std::error::Error;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use supercargo::crate_store::CrateStore;
use supercargo::package::Checksum;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Makes the source of this program that of a version, and returns the paths of its files in `src`.
pub fn own_source(
    store: &CrateStore,
    connection: &mut PgConnection,
    name: &str,
    version: &str,
) -> Outcome<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths)?;
    paths.sort();
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()));
    let mut files = Vec::new();
    for path in &paths {
        let file = path.strip_prefix(root)?.to_str().ok_or("a path is not UTF-8")?.to_owned();
        archive.append_path_with_name(path, format!("{name}-{version}/{file}"))?;
        files.push(file);
    }
    let content = archive.into_inner()?.finish()?;
    let checksum = Checksum::of(&content);
    diesel::sql_query(
        "UPDATE versions SET checksum = $1, size = $2
         WHERE crate_id = (SELECT id FROM crates WHERE name = $3) AND num = $4",
    )
    .bind::<Binary, _>(checksum.as_bytes().as_slice())
    .bind::<BigInt, _>(i64::try_from(content.len())?)
    .bind::<Text, _>(name)
    .bind::<Text, _>(version)
    .execute(connection)?;
    store.put(checksum, content.into())?;
    Ok(files)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
