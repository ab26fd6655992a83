//! The durable writes of a publish and nothing else: a crate file, a commit of the database and a commit of the index,
//! one after the other, without a server, a queue or a check between them.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use supercargo::crate_store::CrateStore;
use supercargo::index::{Change, Index};
use supercargo::package::Checksum;
use supercargo::postgres::embedded;

/// How long they take for each of these crates, which have a name, a file and an index line. The registry runs, and does
/// nothing else.
pub fn floor(
    data_dir: &Path,
    crates: impl IntoIterator<Item = (String, Vec<u8>, String)>,
) -> Result<Vec<Duration>, Box<dyn Error + Send + Sync>> {
    let url = embedded::attach(data_dir)?.ok_or("the database is not running")?;
    let mut connection = PgConnection::establish(&url)?;
    connection.batch_execute("CREATE TABLE IF NOT EXISTS floor (line text)")?;
    let store = CrateStore::local(&data_dir.join("crates"))?;
    let index = Index::open_or_init(&data_dir.join("index.git"))?;
    let mut times = Vec::new();
    for (name, file, line) in crates {
        let content = Bytes::from(file);
        let begin = Instant::now();
        store.put(Checksum::of(&content), content)?;
        diesel::sql_query("INSERT INTO floor VALUES ($1)").bind::<Text, _>(&line).execute(&mut connection)?;
        let path = format!("{}/{}/{name}", &name[..2], &name[2..4]);
        let message = format!("Publish {name} 1.0.0");
        let change = Change { path, content: Some(line.into()), message };
        index.lock_writer()?.commit(&index.head()?, &[change])?;
        times.push(begin.elapsed());
    }
    Ok(times)
}
