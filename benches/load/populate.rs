//! Fills a registry with realistic crates, as if they had been published: index, database, and static files of the same
//! content. There are no crate files.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;

use chrono::Utc;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Text};
use supercargo::database::catalog::downloads::{self, OfDay};
use supercargo::index::Index;
use supercargo::postgres::embedded;

use crate::Outcome;
use crate::realistic::{Crates, MANY};

/// Crates a statement.
const CHUNK: usize = 1_000;

/// Fills a running registry that is empty, and writes its index as files.
pub fn populate(data_dir: &Path, count: usize, files: &Path) -> Outcome<()> {
    let crates = Crates::new(count);
    write_files(&crates, files)?;
    let commit = write_index(&crates, data_dir)?;
    let url = embedded::attach(data_dir)?.ok_or("the database is not running")?;
    write_rows(&crates, &commit, &mut PgConnection::establish(&url)?)
}

/// The static files, and the list of their paths in `names`, without the crate with many versions.
fn write_files(crates: &Crates, files: &Path) -> Outcome<()> {
    fs::create_dir_all(files)?;
    let mut names = BufWriter::new(fs::File::create(files.join("names"))?);
    for number in crates.numbers().filter(|number| !crates.has_many_versions(*number)) {
        let path = crates.path(number)?;
        let file = files.join("index").join(&path);
        fs::create_dir_all(file.parent().ok_or("the path has no directory")?)?;
        fs::write(file, crates.lines(number).join("\n") + "\n")?;
        writeln!(names, "/index/{path}")?;
    }
    Ok(names.flush()?)
}

/// One commit with all crates on top of what is there; answers its id.
fn write_index(crates: &Crates, data_dir: &Path) -> Outcome<String> {
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
    for number in crates.numbers() {
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
    Ok(index.head()?.commit.ok_or("the index has no commit")?.to_string())
}

#[derive(QueryableByName)]
struct Definition {
    #[diesel(sql_type = Text)]
    indexdef: String,
}

/// The rows as publishes would have left them.
fn write_rows(crates: &Crates, commit: &str, connection: &mut PgConnection) -> Outcome<()> {
    // Indexes are made faster than they are kept.
    let indexes: Vec<Definition> = diesel::sql_query(
        "SELECT indexdef FROM pg_indexes WHERE indexname IN ('crate_search_document', 'crate_search_similar_name')",
    )
    .load(connection)?;
    // The kept numbers as well. Older builds, which are measured beside this one, have none.
    connection.batch_execute(
        "DROP INDEX crate_search_document; DROP INDEX crate_search_similar_name; ALTER TABLE crates DISABLE TRIGGER USER",
    )?;
    let numbers: Vec<usize> = crates.numbers().collect();
    for (place, chunk) in numbers.chunks(CHUNK).enumerate() {
        if place % 10 == 1 {
            // Or the statements of the next ones would be planned for empty tables.
            connection.batch_execute("ANALYZE crates; ANALYZE versions")?;
        }
        write_chunk(crates, chunk, commit, connection)?;
    }
    diesel::sql_query(
        "INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, users.id FROM crates, users
         WHERE crates.name = $1 AND users.is_admin",
    )
    .bind::<Text, _>(MANY)
    .execute(connection)?;
    for index in indexes {
        connection.batch_execute(&index.indexdef)?;
    }
    connection.batch_execute(
        "ALTER TABLE crates ENABLE TRIGGER USER;
         DO $$ BEGIN IF to_regproc('recount_registry') IS NOT NULL THEN PERFORM recount_registry(); END IF; END $$",
    )?;
    // Statistics and visibility as autovacuum would leave them, for every table.
    Ok(connection.batch_execute("VACUUM ANALYZE")?)
}

fn write_chunk(crates: &Crates, numbers: &[usize], commit: &str, connection: &mut PgConnection) -> Outcome<()> {
    let mut names = Vec::new();
    let (mut descriptions, mut keywords, mut categories, mut readmes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut of, mut versions, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for &number in numbers {
        for (version, line) in crates.versions(number).into_iter().zip(crates.lines(number)) {
            of.push(crates.name(number));
            versions.push(version);
            lines.push(line);
        }
        names.push(crates.name(number));
        let about = crates.about(number);
        descriptions.push(about.description);
        keywords.push(about.keywords);
        categories.push(about.categories);
        readmes.push(about.readme);
    }
    diesel::sql_query(
        "INSERT INTO crates (name, description, keywords, categories)
         SELECT name, description, string_to_array(keywords, ' '), string_to_array(categories, ' ')
         FROM unnest($1, $2, $3, $4) AS new (name, description, keywords, categories)",
    )
    .bind::<Array<Text>, _>(&names)
    .bind::<Array<Text>, _>(&descriptions)
    .bind::<Array<Text>, _>(&keywords)
    .bind::<Array<Text>, _>(&categories)
    .execute(connection)?;
    diesel::sql_query(
        "INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, state, effective_yanked,
                               commit_id, published_at, metadata, manifest)
         SELECT crates.id, num, num, decode(line::jsonb->>'cksum', 'hex'), 20000, line, 'published', false, $6, now(),
                jsonb_build_object('readme', readme),
                jsonb_build_object('description', crates.description, 'license', 'MIT',
                                   'keywords', crates.keywords, 'categories', crates.categories)
         FROM unnest($1, $2, $3) WITH ORDINALITY AS new (name, num, line, place) JOIN crates USING (name)
         JOIN unnest($4, $5) AS readmes (name, readme) USING (name) ORDER BY place",
    )
    .bind::<Array<Text>, _>(&of)
    .bind::<Array<Text>, _>(&versions)
    .bind::<Array<Text>, _>(&lines)
    .bind::<Array<Text>, _>(&names)
    .bind::<Array<Text>, _>(&readmes)
    .bind::<Text, _>(commit)
    .execute(connection)?;
    complete_chunk(&names, connection)?;
    describe_chunk(&names, &readmes, connection)?;
    count_downloads(numbers, &names, connection)
}

/// What follows from the versions. Each chunk is a transaction of its own, because triggers may count crates in a row.
fn complete_chunk(names: &[String], connection: &mut PgConnection) -> Outcome<()> {
    for statement in [
        "INSERT INTO dependencies (version_id, place, name, req, kind, optional, default_features, features)
         SELECT versions.id, place - 1, dep->>'name', dep->>'req', 'normal', false, true, '{}'
         FROM versions JOIN crates ON crates.id = crate_id,
              jsonb_array_elements(index_line::jsonb->'deps') WITH ORDINALITY AS deps (dep, place)
         WHERE crates.name = ANY ($1)",
        "UPDATE crates SET default_version_id = newest.id, max_version = newest.num, max_stable_version = newest.num,
                           newest_version = newest.num, version_count = newest.count
         FROM (SELECT crate_id, max(versions.id) AS id, count(*) AS count, (array_agg(num ORDER BY versions.id DESC))[1] AS num
               FROM versions JOIN crates ON crates.id = crate_id WHERE crates.name = ANY ($1) GROUP BY crate_id) AS newest
         WHERE newest.crate_id = crates.id",
        "INSERT INTO crate_categories (slug) SELECT DISTINCT unnest(categories) FROM crates WHERE name = ANY ($1)
         ON CONFLICT DO NOTHING",
        "INSERT INTO crate_downloads (crate_id, downloads, recent, shown)
         SELECT id, 0, 0, true FROM crates WHERE name = ANY ($1)",
    ] {
        diesel::sql_query(statement).bind::<Array<Text>, _>(names).execute(connection)?;
    }
    // There are no files to analyse.
    Ok(connection.batch_execute("TRUNCATE pending_analyses")?)
}

/// As in src/database/search/document.rs.
fn describe_chunk(names: &[String], readmes: &[String], connection: &mut PgConnection) -> Outcome<()> {
    diesel::sql_query(
        "INSERT INTO crate_search (crate_id, name, head, document)
         SELECT id, canonical_name, head, strip(head || to_tsvector('english', readme))
                    || array_to_tsvector(ARRAY['=' || canonical_name] || name_words)
         FROM (SELECT id, canonical_name, readme,
                      ARRAY(SELECT '@' || word FROM unnest(tsvector_to_array(name_vector)) AS word) AS name_words,
                      setweight(name_vector, 'A')
                          || setweight(to_tsvector('english', replace(array_to_string(keywords, ' '), '-', ' ')), 'B')
                          || setweight(to_tsvector('english', description), 'C') AS head
               FROM unnest($1, $2) AS new (name, readme) JOIN crates USING (name),
                    to_tsvector('english', replace(canonical_name, '_', ' ')) AS name_vector) AS described",
    )
    .bind::<Array<Text>, _>(names)
    .bind::<Array<Text>, _>(readmes)
    .execute(connection)?;
    Ok(())
}

/// Downloads of today: the n-th crate has one n-th of those of the first.
fn count_downloads(numbers: &[usize], names: &[String], connection: &mut PgConnection) -> Outcome<()> {
    #[derive(QueryableByName)]
    struct Default {
        #[diesel(sql_type = Integer)]
        id: i32,
    }
    let defaults: Vec<Default> = diesel::sql_query(
        "SELECT default_version_id AS id FROM unnest($1) WITH ORDINALITY AS new (name, place) JOIN crates USING (name)
         ORDER BY place",
    )
    .bind::<Array<Text>, _>(names)
    .load(connection)?;
    let day = Utc::now().date_naive();
    let counted: Vec<OfDay> = numbers
        .iter()
        .zip(defaults)
        .map(|(&number, version)| {
            Ok(OfDay { version_id: version.id, day, downloads: 100_000_000 / i64::try_from(number + 1)? })
        })
        .collect::<Outcome<_>>()?;
    downloads::add(connection, &counted)?;
    Ok(())
}
