//! What a publish costs its client, over HTTP, from a registry on its embedded default with everything durable: start-up,
//! 200 publishes one after the other, 200 by 8 clients at once, and how many of them the sparse index showed at the first
//! look. Each of them once on an empty registry and once with 50,000 crates in it.
//!
//! Beside it stands the floor, measured in the same run on the same disk: a crate file, one commit of the database and
//! one commit of the index, each durable, one after the other, without a server, a queue or a check between them.
//!
//! `cargo bench --bench publish`, with other numbers of crates as arguments.

mod support;

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use supercargo::crate_store::CrateStore;
use supercargo::database::embedded;
use supercargo::index::{Change, Index};
use supercargo::package::Checksum;

const SIZES: [usize; 2] = [0, 50_000];
const PUBLISHES: usize = 200;
const CLIENTS: usize = 8;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    for size in if sizes.is_empty() { SIZES.to_vec() } else { sizes } {
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
    publish("warm-up", &registry, "warm", 20, 1)?;
    let floor = floor(&data_dir)?;
    let one = publish("one client", &registry, "one", PUBLISHES, 1)?;
    let many = publish(&format!("{CLIENTS} clients"), &registry, "many", PUBLISHES, CLIENTS)?;
    println!("  one client / floor, medians: {:.2}", one.as_secs_f64() / floor.as_secs_f64());
    println!("  {CLIENTS} clients / one client, medians: {:.2}", many.as_secs_f64() / one.as_secs_f64());
    println!("  memory of the server: {} MiB", registry.resident()? / 1024);
    registry.stop()
}

/// Publishes new crates and looks at the index after each; answers the median of the publishes.
fn publish(label: &str, registry: &Registry, prefix: &str, count: usize, clients: usize) -> Outcome<Duration> {
    let begin = Instant::now();
    let results: Vec<Outcome<Vec<(Duration, bool)>>> = std::thread::scope(|scope| {
        let publishing: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || publish_some(registry, &format!("{prefix}-{client}"), count / clients)))
            .collect();
        publishing.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let results: Vec<_> = results.into_iter().collect::<Outcome<Vec<_>>>()?.concat();
    let rate = results.len() as f64 / begin.elapsed().as_secs_f64();
    let visible = results.iter().filter(|result| result.1).count();
    let mut times: Vec<_> = results.iter().map(|result| result.0).collect();
    report(label, &mut times);
    println!("    {visible} of {} visible at the first look, {rate:.0} publishes/s", results.len());
    Ok(times[times.len() / 2])
}

fn publish_some(registry: &Registry, prefix: &str, count: usize) -> Outcome<Vec<(Duration, bool)>> {
    let agent = ureq::Agent::new_with_defaults();
    let mut results = Vec::new();
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        let body = publish_body(&name)?;
        let begin = Instant::now();
        let url = format!("{}/api/v1/crates/new", registry.url);
        let answer =
            agent.put(url).header("authorization", &registry.token).send(&body)?.body_mut().read_to_string()?;
        let took = begin.elapsed();
        if !answer.contains("warnings") {
            return Err(answer.into());
        }
        let url = format!("{}/index/{}/{}/{name}", registry.url, &name[..2], &name[2..4]);
        // A 404 is an error of the client's call.
        results.push((took, agent.get(url).call().is_ok()));
    }
    Ok(results)
}

fn publish_body(name: &str) -> Outcome<Vec<u8>> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
         description = \"x\"\nlicense = \"MIT\"\n"
    );
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let files = [("Cargo.toml", manifest.as_bytes()), ("src/lib.rs", &b"//! A crate.\n"[..])];
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}-1.0.0/{path}"), content)?;
    }
    let crate_file = archive.into_inner()?.finish()?;
    let metadata =
        format!("{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"features\":{{}},\"description\":\"x\"}}");
    let mut body = Vec::new();
    for part in [metadata.as_bytes(), &crate_file] {
        body.extend(u32::try_from(part.len())?.to_le_bytes());
        body.extend(part);
    }
    Ok(body)
}

/// The durable writes of a publish and nothing else, each time a new file, row and index entry.
fn floor(data_dir: &Path) -> Outcome<Duration> {
    let mut connection = PgConnection::establish(&database_url(data_dir)?)?;
    connection.batch_execute("CREATE TABLE floor (line text)")?;
    let store = CrateStore::local(&data_dir.join("crates"))?;
    let index = Index::open_or_init(&data_dir.join("index.git"))?;
    let mut times = Vec::new();
    for number in 0..PUBLISHES / 2 {
        let name = format!("floor-{number}");
        let content = Bytes::from(publish_body(&name)?);
        let line = support::line(&name, 0);
        let begin = Instant::now();
        store.put(Checksum::of(&content), content)?;
        diesel::sql_query("INSERT INTO floor VALUES ($1)").bind::<Text, _>(&line).execute(&mut connection)?;
        let message = format!("Publish {name} 1.0.0");
        let change = Change { path: support::path(&name), content: Some(line.into_bytes()), message };
        index.lock_writer()?.commit(&index.head()?, &[change])?;
        times.push(begin.elapsed());
    }
    report("floor", &mut times);
    Ok(times[times.len() / 2])
}

/// Crates in the database and in the index, as if they had been published.
fn populate(data_dir: &Path, size: usize) -> Outcome<()> {
    let index = Index::open_or_init(&data_dir.join("index.git"))?;
    support::populate(&index, size).map_err(|error| error.to_string())?;
    index.lock_writer()?.consolidate()?;
    let mut connection = PgConnection::establish(&database_url(data_dir)?)?;
    let names: Vec<String> = (0..size).map(support::name).collect();
    let lines: Vec<String> = names.iter().map(|name| support::line(name, 0).trim_end().to_owned()).collect();
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
    connection.batch_execute("ANALYZE")?;
    Ok(())
}

fn database_url(data_dir: &Path) -> Outcome<String> {
    Ok(embedded::attach(data_dir)?.ok_or("the database is not running")?)
}

/// Prints median, 99th percentile and maximum; sorts.
fn report(label: &str, times: &mut [Duration]) {
    times.sort();
    let milliseconds = |place: usize| times[place.min(times.len() - 1)].as_secs_f64() * 1000.0;
    match times {
        [single] => println!("  {label:<12} {:8.1} ms", single.as_secs_f64() * 1000.0),
        _ => println!(
            "  {label:<12} median {:7.1} ms   p99 {:7.1} ms   max {:7.1} ms",
            milliseconds(times.len() / 2),
            milliseconds(times.len() * 99 / 100),
            milliseconds(times.len() - 1),
        ),
    }
}

/// As root, PostgreSQL runs as another user, who has to get through.
fn passable(directory: &Path) -> Outcome<()> {
    Ok(std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o711))?)
}

struct Registry {
    child: Child,
    url: String,
    token: String,
    started_in: Duration,
}

impl Registry {
    fn start(data_dir: &Path) -> Outcome<Self> {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_supercargo"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"])
            .arg(data_dir)
            .stdout(Stdio::null())
            .spawn()?;
        let file: PathBuf = data_dir.join("url");
        while !file.exists() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("serve ended: {status}").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let started_in = begin.elapsed();
        let read = |path: PathBuf| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
        Ok(Self { child, url: read(file)?, token: read(data_dir.join("admin-token"))?, started_in })
    }

    /// KiB of memory that the process holds.
    fn resident(&self) -> Outcome<usize> {
        let mut status = String::new();
        std::fs::File::open(format!("/proc/{}/status", self.child.id()))?.read_to_string(&mut status)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    fn stop(&mut self) -> Outcome<()> {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), nix::sys::signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait()
            && let Err(error) = self.stop()
        {
            eprintln!("{error}");
        }
    }
}
