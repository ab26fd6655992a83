//! What a publish costs its client, over HTTP, from a registry on its embedded default with everything durable: start-up,
//! 200 publishes one after the other, 200 by 8 clients at once, and how many of them the sparse index showed at the first
//! look. Each of them once on an empty registry and once with 50,000 crates in it.
//!
//! Beside it stands the floor, measured in the same run on the same disk: a crate file, one commit of the database and
//! one commit of the index, each durable, one after the other, without a server, a queue or a check between them.
//!
//! `cargo bench --bench publish`, with other numbers of crates as arguments.

#[path = "support/floor.rs"]
mod floor;
#[path = "support/registry.rs"]
mod registry;
#[path = "support/scale.rs"]
mod scale;
mod support;

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use supercargo::index::Index;
use supercargo::postgres::embedded;

use registry::{Outcome, Registry, passable, publish, publish_body, report};
use scale::amount;

const CLIENTS: usize = 8;

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    for size in if sizes.is_empty() { vec![0, amount(50_000, 50)].split_off(amount(0, 1)) } else { sizes } {
        measure(size)?;
    }
    Ok(())
}

fn measure(size: usize) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    passable(directory.path())?;
    let data_dir = directory.path().join("registry");
    println!("\n{size} crates");
    let first = Registry::start(&data_dir)?;
    report("first start", &mut [first.started_in]);
    drop(first);
    let mut registry = Registry::start(&data_dir)?;
    report("later start", &mut [registry.started_in]);
    if size > 0 {
        populate(&data_dir, size)?;
    }
    let publishes = amount(200, 16);
    publish("warm-up", &registry, "warm", amount(20, 2), 1)?;
    let floor = floor(&data_dir, publishes / 2)?;
    let one = publish("one client", &registry, "one", publishes, 1)?;
    let many = publish(&format!("{CLIENTS} clients"), &registry, "many", publishes, CLIENTS)?;
    println!("  one client / floor, medians: {:.2}", one.as_secs_f64() / floor.as_secs_f64());
    println!("  {CLIENTS} clients / one client, medians: {:.2}", many.as_secs_f64() / one.as_secs_f64());
    println!("  memory of the server: {} MiB", registry.resident()? / 1024);
    registry.stop()
}

/// The floor's median.
fn floor(data_dir: &Path, count: usize) -> Outcome<Duration> {
    let made = |number| {
        let name = format!("floor-{number}");
        Ok((name.clone(), publish_body(&name)?, support::line(&name, 0)))
    };
    let crates: Vec<_> = (0..count).map(made).collect::<Outcome<_>>()?;
    let mut times = floor::floor(data_dir, crates)?;
    report("floor", &mut times);
    Ok(times[times.len() / 2])
}

/// Crates in the database and in the index, as if they had been published.
fn populate(data_dir: &Path, size: usize) -> Outcome<()> {
    let index = Index::open_or_init(&data_dir.join("index.git"))?;
    support::populate(&index, size).map_err(|error| error.to_string())?;
    let repack = ["--git-dir", &index.path().to_string_lossy(), "repack", "-a", "-d", "-b", "-q"];
    if !index.git().command().args(repack).status()?.success() {
        return Err("git repack failed".into());
    }
    let mut connection = PgConnection::establish(&database_url(data_dir)?)?;
    let names: Vec<String> = (0..size).map(support::name).collect();
    let lines: Vec<String> = names.iter().map(|name| support::line(name, 0).trim_end().to_owned()).collect();
    connection.batch_execute("ALTER TABLE crates DISABLE TRIGGER USER")?;
    diesel::sql_query(
        "WITH made AS (INSERT INTO crates (name, max_version, version_count) SELECT name, '1.0.0', 1 FROM unnest($1) AS name
                       RETURNING id, name)
         INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, state, effective_yanked,
                               commit_id, published_at, metadata)
         SELECT made.id, '1.0.0', '1.0.0', sha256(made.name::bytea), 1, lines.line, 'published', false, '', now(), '{}'
         FROM made JOIN unnest($1, $2) AS lines (name, line) USING (name)",
    )
    .bind::<Array<Text>, _>(&names)
    .bind::<Array<Text>, _>(&lines)
    .execute(&mut connection)?;
    connection.batch_execute("ALTER TABLE crates ENABLE TRIGGER USER; SELECT recount_registry(); ANALYZE")?;
    Ok(())
}

fn database_url(data_dir: &Path) -> Outcome<String> {
    Ok(embedded::attach(data_dir)?.ok_or("the database is not running")?)
}
