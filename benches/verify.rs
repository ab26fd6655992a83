//! What it costs to prove that database, index and crate files agree: 20,000 crates with a version and a file of 16 KiB each,
//! verified light and in full. The database and the page cache are warm. Peak memory is that of this process alone, which
//! made the crates before.
//!
//! `cargo bench --bench verify`, with another number of crates as its argument.

#[path = "support/scale.rs"]
mod scale;

use std::error::Error;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use supercargo::crate_store::CrateStore;
use supercargo::database::access::audit::{Action, Actor};
use supercargo::database::{Pool, migrations};
use supercargo::index::entry::line::IndexLine;
use supercargo::index::entry::registries::Registries;
use supercargo::index::{ConfigJson, Index};
use supercargo::jobs::restoration::{Restorable, restore};
use supercargo::jobs::{self, Environment};
use supercargo::package::{Checksum, Limits, RegistryUrls};
use supercargo::postgres::embedded::{Cluster, Options};
use supercargo::queue::{Completions, Runner, Wakeups};
use supercargo::upstream::guarded::Guarded;
use supercargo::verify::{Depth, Settings, Verifier};

use scale::amount;

const CRATES: usize = 20_000;
const SIZE: usize = 16 * 1024;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let crates =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or_else(|| amount(CRATES, 20));
    let directory = tempfile::tempdir()?;
    // As root, PostgreSQL runs as another user, who has to get through.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let data_dir = directory.path().to_owned();
    let cluster = Cluster::start(&Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: true })?;
    migrations::migrate(&mut PgConnection::establish(&cluster.url())?)?;
    let pool = Pool::live(&cluster.url(), 4);
    let index = Index::open_or_init(&directory.path().join("index.git"))?;
    let crate_store = CrateStore::local(&directory.path().join("crates"))?;
    let begin = Instant::now();
    populate(&pool, &index, &crate_store, crates)?;
    println!("{crates} crates, made in {:.0} s; memory {}", begin.elapsed().as_secs_f64(), peak_memory());
    for (what, depth, all_objects) in
        [("light", Depth::Light, false), ("full", Depth::Full, false), ("full, all objects of git", Depth::Full, true)]
    {
        let verifier = Verifier {
            pool: &pool,
            index: &index,
            crate_store: &crate_store,
            settings: Settings { depth, all_objects, orphan_age: Duration::ZERO, ..Settings::default() },
            watch: &(),
            repairs: None,
        };
        let begin = Instant::now();
        let report = verifier.run()?.report;
        let seconds = begin.elapsed().as_secs_f64();
        assert!(report.agrees() && report.counts.crates as usize == crates, "{}", report.to_text());
        let (per_second, mib) = (crates as f64 / seconds, report.counts.bytes as f64 / (1 << 20) as f64);
        println!(
            "{what:<26} {seconds:6.1} s {per_second:8.0} crates/s {:8.1} MiB/s   memory {}",
            mib / seconds,
            peak_memory()
        );
    }
    drop(pool);
    cluster.stop()?;
    Ok(())
}

fn populate(pool: &Pool, index: &Index, crate_store: &CrateStore, crates: usize) -> Outcome<()> {
    let config = ConfigJson { dl: "http://x".to_owned(), api: "http://x".to_owned(), auth_required: false };
    index.lock_writer()?.commit(&index.head()?, &[config.change(None)])?;
    let mut random = StdRng::seed_from_u64(1);
    let actor = Actor::operator("bench".to_owned());
    for number in 0..crates {
        // Spread over the directories of an index as names are.
        let letters: String =
            (0..4).map(|place| char::from(b'a' + (number / 26_usize.pow(place) % 26) as u8)).collect();
        let name = format!("{letters}-{number}");
        let mut filling = vec![0; SIZE];
        random.fill_bytes(&mut filling);
        let content = crate_file(&name, &filling)?;
        let checksum = Checksum::of(&content);
        let line = format!(
            "{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"{checksum}\",\"features\":{{}},\"yanked\":false}}"
        );
        let registries = Registries::Recorded { urls: RegistryUrls::default(), crates_io_here: Some(false) };
        let version = Restorable::new(&IndexLine::parse(&line)?, &content, &Limits::default(), &registries)?;
        crate_store.put(checksum, content.into())?;
        let name = name.parse()?;
        pool.with(|connection| restore(connection, crate_store, &name, &[version], &[], (Action::Import, &actor)))??;
    }
    let environment = Environment {
        index: index.clone(),
        crate_store: crate_store.clone(),
        webhooks: Guarded::new(Vec::new()),
        smtp: None,
        index_export: None,
    };
    let (wakeups, completions) = (Wakeups::default(), Completions::default());
    let drained = Runner::new(jobs::registry()?, environment, pool.clone(), "bench", wakeups, completions).drain()?;
    assert!(drained.failed.is_empty(), "{:?}", drained.failed);
    Ok(())
}

/// A package of this name with a file of this content.
fn crate_file(name: &str, filling: &[u8]) -> std::io::Result<Vec<u8>> {
    let manifest = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (path, content) in [("Cargo.toml", manifest.as_bytes()), ("src/lib.rs", filling)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}-1.0.0/{path}"), content)?;
    }
    archive.into_inner()?.finish()
}

/// The most memory that this process had.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
