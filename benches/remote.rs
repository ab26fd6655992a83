//! What an index at a git remote costs: publishes without one, with one by path and with one over HTTP; and how long a
//! thousand publishes take to get there, that were accepted while it was away.
//!
//! `cargo bench --bench remote`, with `publishes` or `outage` as argument for one of the two. The length of the outage in
//! seconds may follow.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/registry/support/git_http.rs"]
mod git_http;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/registry/support/git_remote.rs"]
mod git_remote;
#[allow(dead_code, reason = "other benchmarks use the rest")]
#[path = "support/registry.rs"]
mod registry;
#[path = "support/scale.rs"]
mod scale;

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use supercargo::postgres::embedded;

use git_http::{GitServer, Mood};
use git_remote::Bare;
use registry::{Outcome, Registry, passable, publish};
use scale::amount;

const CLIENTS: usize = 8;

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let outage = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(amount(60, 0) as u64);
    let all = !arguments.iter().any(|argument| argument == "publishes" || argument == "outage");
    if all || arguments.contains(&"publishes".to_owned()) {
        publishes()?;
    }
    if all || arguments.contains(&"outage".to_owned()) {
        measure_outage(Duration::from_secs(outage))?;
    }
    Ok(())
}

fn publishes() -> Outcome<()> {
    let (by_path, behind_http) = (Bare::new(), Bare::new());
    let server = GitServer::start(&behind_http, None);
    let path = by_path.url();
    let mut without = None;
    let remotes = [("no remote", None), ("by path", Some(path.as_str())), ("by http", Some(server.url()))];
    for (label, remote) in remotes.into_iter().skip(amount(0, 2)) {
        let directory = tempfile::tempdir()?;
        passable(directory.path())?;
        let remote = remote.map_or(Vec::new(), |url| vec!["--index-remote", url]);
        let arguments = [&["--publish-wait", "60s"], &remote[..]].concat();
        let mut registry = Registry::start_with(&directory.path().join("registry"), &arguments)?;
        println!("\n{label}");
        publish("warm-up", &registry, "warm", amount(10, 1), 1)?;
        let one = publish("one client", &registry, "one", amount(100, 8), 1)?;
        let many = publish(&format!("{CLIENTS} clients"), &registry, "many", amount(100, 8), CLIENTS)?;
        let (one, many) = (one.as_secs_f64(), many.as_secs_f64());
        let (first_one, first_many) = *without.get_or_insert((one, many));
        println!(
            "  in ratio to no remote, medians: one client {:.1}, {CLIENTS} clients {:.1}",
            one / first_one,
            many / first_many
        );
        registry.stop()?;
    }
    Ok(())
}

fn measure_outage(length: Duration) -> Outcome<()> {
    let remote = Bare::new();
    let server = GitServer::start(&remote, None);
    let directory = tempfile::tempdir()?;
    passable(directory.path())?;
    let data_dir = directory.path().join("registry");
    let mut registry = Registry::start_with(&data_dir, &["--index-remote", server.url(), "--publish-wait", "0s"])?;
    let backlog = amount(1000, 16);
    println!("\n{backlog} publishes during an outage of {length:?}");
    publish("before", &registry, "before", 10, 1)?;
    let mut connection = PgConnection::establish(&embedded::attach(&data_dir)?.ok_or("the database is not running")?)?;
    while pending(&mut connection)? > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    server.set(Mood::Away);
    let begin = Instant::now();
    publish("accepting", &registry, "away", backlog, CLIENTS)?;
    std::thread::sleep(length.saturating_sub(begin.elapsed()));
    println!("  pending at the end of the outage: {} jobs", pending(&mut connection)?);
    server.set(Mood::Good);
    let end = Instant::now();
    let mut first = None;
    while pending(&mut connection)? > 0 {
        if first.is_none() && pending(&mut connection)? < backlog as i64 {
            first = Some(end.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("  first batch after {:.2?}, everything after {:.2?}", first.unwrap_or_default(), end.elapsed());
    registry.stop()
}

fn pending(connection: &mut PgConnection) -> Outcome<i64> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    Ok(diesel::sql_query("SELECT count(*) AS count FROM jobs WHERE queue = 'index'")
        .get_result::<Count>(connection)?
        .count)
}
