//! A registry whose crates resemble published ones: names of one to three words, three to ten versions, dependencies that
//! are popular as names are in a language: the n-th most popular crate has one n-th of the dependents of the first.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use supercargo::index::Index;
use supercargo::package::CrateName;
use supercargo::package::index_path::index_path;
use supercargo::postgres::embedded;

use crate::Outcome;

const WORDS: [&str; 40] = [
    "serde", "tokio", "async", "http", "json", "parse", "macro", "core", "util", "log", "wasm", "image", "math", "net",
    "proto", "codec", "stream", "task", "time", "file", "path", "hash", "tree", "graph", "cache", "queue", "sync",
    "crypto", "rand", "text", "regex", "shell", "term", "gpu", "audio", "video", "font", "color", "shape", "data",
];
/// Crates a statement.
const CHUNK: usize = 1_000;

/// All crates, each a function of its number.
pub struct Crates {
    count: usize,
}

impl Crates {
    pub fn new(count: usize) -> Self {
        Self { count }
    }

    pub fn name(&self, number: usize) -> String {
        let word =
            |place: usize| WORDS[number.wrapping_mul(2_654_435_761).rotate_right(8 * place as u32) % WORDS.len()];
        match number % 3 {
            0 => format!("{}{number}", word(1)),
            1 => format!("{}-{}{number}", word(1), word(2)),
            _ => format!("{}-{}-{number}", word(1), word(2)),
        }
    }

    fn random(number: usize) -> StdRng {
        StdRng::seed_from_u64(number as u64)
    }

    /// A crate with a smaller number, the more probable the smaller it is.
    fn dependency(&self, number: usize, random: &mut StdRng) -> String {
        let rank = (random.random::<f64>() * (number as f64 + 1.0).ln()).exp() as usize;
        self.name(rank.saturating_sub(1).min(self.count - 1))
    }

    pub fn versions(number: usize) -> Vec<String> {
        let count = Self::random(number).random_range(3..=10);
        (0..count).map(|place| format!("{}.{}.{}", number % 2, place / 3, place % 3)).collect()
    }

    /// The lines of the crate's index file.
    pub fn lines(&self, number: usize) -> Vec<String> {
        let name = self.name(number);
        let mut random = Self::random(number);
        let mut dependencies: Vec<String> =
            (0..random.random_range(0..8)).map(|_| self.dependency(number, &mut random)).collect();
        dependencies.sort();
        dependencies.dedup();
        dependencies.retain(|dependency| *dependency != name);
        let mut deps = String::new();
        for (place, dependency) in dependencies.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(
                deps,
                "{comma}{{\"name\":\"{dependency}\",\"req\":\"^{}\",\"features\":[],\"optional\":false,\"default_features\":true,\"target\":null,\"kind\":\"normal\"}}",
                place % 2
            );
        }
        let line = |version: String| {
            let checksum: [u8; 32] = Sha256::digest(format!("{name} {version}")).into();
            let checksum: String = checksum.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[{deps}],\"cksum\":\"{checksum}\",\"features\":{{\"default\":[\"std\"],\"std\":[]}},\"yanked\":false,\"rust_version\":\"1.70\",\"pubtime\":\"2026-01-01T00:00:00Z\"}}"
            )
        };
        Self::versions(number).into_iter().map(line).collect()
    }

    fn path(&self, number: usize) -> Outcome<String> {
        Ok(index_path(&self.name(number).parse::<CrateName>()?))
    }
}

/// Fills a running registry that is empty, and writes its index as files.
pub fn populate(data_dir: &Path, count: usize, files: &Path) -> Outcome<()> {
    let crates = Crates::new(count);
    write_files(&crates, files)?;
    write_index(&crates, data_dir)?;
    let url = embedded::attach(data_dir)?.ok_or("the database is not running")?;
    write_rows(&crates, &mut PgConnection::establish(&url)?)
}

/// The static files, and the list of their paths in `names`.
fn write_files(crates: &Crates, files: &Path) -> Outcome<()> {
    fs::create_dir_all(files)?;
    let mut names = BufWriter::new(fs::File::create(files.join("names"))?);
    for number in 0..crates.count {
        let path = crates.path(number)?;
        let file = files.join("index").join(&path);
        fs::create_dir_all(file.parent().ok_or("the path has no directory")?)?;
        fs::write(file, crates.lines(number).join("\n") + "\n")?;
        writeln!(names, "/index/{path}")?;
    }
    Ok(names.flush()?)
}

fn write_index(crates: &Crates, data_dir: &Path) -> Outcome<()> {
    let index = Index::open_or_init(&data_dir.join("index.git"))?;
    let git_dir = index.path().to_string_lossy().into_owned();
    let git = |arguments: &[&str]| {
        let mut command = index.git().command();
        command.args(["--git-dir", &git_dir]).args(arguments);
        command
    };
    let mut import = git(&["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn()?;
    let mut stream = BufWriter::new(import.stdin.take().ok_or("git has no input")?);
    write!(stream, "commit refs/heads/main\ncommitter bench <bench@localhost> 0 +0000\ndata 8\nPopulate\n")?;
    if let Some(head) = index.head()?.commit {
        writeln!(stream, "from {head}")?;
    }
    for number in 0..crates.count {
        let content = crates.lines(number).join("\n") + "\n";
        write!(stream, "M 100644 inline {}\ndata {}\n{content}\n", crates.path(number)?, content.len())?;
    }
    stream.flush()?;
    drop(stream);
    if !import.wait()?.success() {
        return Err("git fast-import failed".into());
    }
    if !git(&["repack", "-a", "-d", "-b", "-q"]).status()?.success() {
        return Err("git repack failed".into());
    }
    Ok(())
}

/// The rows as publishes would have left them.
fn write_rows(crates: &Crates, connection: &mut PgConnection) -> Outcome<()> {
    connection.batch_execute(
        "ALTER TABLE crates DISABLE TRIGGER USER; DROP INDEX crate_search_document; DROP INDEX crate_search_similar_name",
    )?;
    for first in (0..crates.count).step_by(CHUNK) {
        let numbers = first..(first + CHUNK).min(crates.count);
        let (mut names, mut ranks) = (Vec::new(), Vec::new());
        let (mut of, mut versions, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for number in numbers {
            for (version, line) in Crates::versions(number).into_iter().zip(crates.lines(number)) {
                of.push(crates.name(number));
                versions.push(version);
                lines.push(line);
            }
            names.push(crates.name(number));
            ranks.push(i32::try_from(number)?);
        }
        diesel::sql_query(
            "INSERT INTO crates (name, description, keywords)
             SELECT name, 'A crate for ' || replace(name, '-', ' '), string_to_array(replace(name, '-', ' '), ' ')
             FROM unnest($1) AS name",
        )
        .bind::<Array<Text>, _>(&names)
        .execute(connection)?;
        diesel::sql_query(
            "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, state, effective_yanked,
                                   commit_id, published_at, metadata, manifest)
             SELECT crates.id, num, num, decode(line::jsonb->>'cksum', 'hex'), 20000, line, 'published', false, '', now(),
                    '{}', jsonb_build_object('description', crates.description, 'license', 'MIT')
             FROM unnest($1, $2, $3) AS new (name, num, line) JOIN crates USING (name)",
        )
        .bind::<Array<Text>, _>(&of)
        .bind::<Array<Text>, _>(&versions)
        .bind::<Array<Text>, _>(&lines)
        .execute(connection)?;
        diesel::sql_query(
            "WITH new AS (SELECT crates.id, canonical_name, description, keywords, rank
                          FROM unnest($1, $2) AS new (name, rank) JOIN crates USING (name)),
             searched AS (
                 INSERT INTO crate_search (crate_id, name, head, document)
                 SELECT id, canonical_name, head, strip(head) || array_to_tsvector(ARRAY['=' || canonical_name])
                 FROM (SELECT id, canonical_name, setweight(to_tsvector('english', replace(canonical_name, '_', ' ')), 'A')
                           || setweight(to_tsvector('english', description), 'C') AS head FROM new) AS described
             )
             INSERT INTO crate_downloads (crate_id, downloads, recent, shown)
             SELECT id, 100000000 / (1 + rank), 10000000 / (1 + rank), true FROM new",
        )
        .bind::<Array<Text>, _>(&names)
        .bind::<Array<Integer>, _>(&ranks)
        .execute(connection)?;
    }
    connection.batch_execute(
        "INSERT INTO dependencies (version_id, place, name, req, kind, optional, default_features, features)
         SELECT versions.id, place - 1, dep->>'name', dep->>'req', 'normal', false, true, '{}'
         FROM versions, jsonb_array_elements(index_line::jsonb->'deps') WITH ORDINALITY AS deps (dep, place);
         UPDATE crates SET default_version_id = newest.id, max_version = newest.num, max_stable_version = newest.num,
                           newest_version = newest.num, version_count = newest.count
         FROM (SELECT crate_id, max(id) AS id, count(*) AS count, (array_agg(num ORDER BY id DESC))[1] AS num
               FROM versions GROUP BY crate_id) AS newest
         WHERE newest.crate_id = crates.id;
         CREATE INDEX crate_search_document ON crate_search USING gin (document);
         CREATE INDEX crate_search_similar_name ON crate_search USING gin (name gin_trgm_ops);
         ALTER TABLE crates ENABLE TRIGGER USER; SELECT recount_registry()",
    )?;
    for table in
        ["crates", "versions", "dependencies", "crate_search", "crate_downloads", "crate_dependents", "registry_counts"]
    {
        connection.batch_execute(&format!("VACUUM ANALYZE {table}"))?;
    }
    Ok(())
}
