//! What a search costs among 200,000 crates: names exact, begun and misspelt, words that are rare, common and in half of all
//! crates, and lists, each with the rows that the API tells. And what a publish pays for keeping it searchable.
//!
//! The words are made up, and as frequent as words are: the n-th is in one place of n. Names, keywords, descriptions and
//! READMEs are made of them.
//!
//! `cargo bench --bench search`, with another number of crates as its argument.

#[path = "support/catalog.rs"]
mod catalog;
#[path = "support/scale.rs"]
mod scale;
#[path = "support/words.rs"]
mod words;

use std::error::Error;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use rand::SeedableRng;
use rand::rngs::StdRng;
use supercargo::database::catalog::{crate_details, descriptions};
use supercargo::database::migrations;
use supercargo::database::search::query::SearchText;
use supercargo::database::search::{self, Filter, Page, SearchQuery, Sort, Totals};
use supercargo::postgres::embedded::{Cluster, Options};

use catalog::README_WORDS;
use scale::amount;
use words::Words;

const CRATES: usize = 200_000;
const RUNS: usize = 200;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let crates =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or_else(|| amount(CRATES, 300));
    let directory = tempfile::tempdir()?;
    // As root, PostgreSQL runs as another user, who has to get through.
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let data_dir = directory.path().to_owned();
    let cluster = Cluster::start(&Options { data_dir, postgres_bin_dir: None, os_user: None, throwaway: true })?;
    let mut connection = PgConnection::establish(&cluster.url())?;
    migrations::migrate(&mut connection)?;
    let begin = Instant::now();
    let words = Words::new();
    catalog::populate(&mut connection, &words, crates, 1)?;
    println!("{crates} crates, made in {:.0} s", begin.elapsed().as_secs_f64());
    searches(&mut connection, &words)?;
    publishes(&mut connection, &words)?;
    drop(connection);
    cluster.stop()?;
    Ok(())
}

fn searches(connection: &mut PgConnection, words: &Words) -> Outcome<()> {
    let name: String = diesel::sql_query("SELECT name FROM crates WHERE id = 123 OR id = 1 ORDER BY id DESC LIMIT 1")
        .get_result::<Name>(connection)?
        .name;
    let mut misspelt: Vec<char> = name.chars().collect();
    misspelt.swap(2, 3);
    let text = |text: &str| text.to_owned();
    println!("  {:<34}{:>9}{:>10}{:>10}{:>10}", "", "found", "p50", "p99", "max");
    for (label, query) in [
        ("exact name", name.clone()),
        ("prefix of a name", name[..name.len() - 5].to_owned()),
        ("prefix of three letters", name[..3].to_owned()),
        ("prefix of one letter", name[..1].to_owned()),
        ("misspelt name", misspelt.into_iter().collect()),
        ("misspelt word", format!("{}q", &words.0[700])),
        ("rare word", text(&words.0[19_000])),
        ("word of 1 % of all crates", text(&words.0[1_000])),
        ("word of 5 %", text(&words.0[250])),
        ("word of 10 %", text(&words.0[110])),
        ("word of half", text(&words.0[16])),
        ("two words", format!("{} {}", words.0[250], words.0[300])),
        ("two frequent words", format!("{} {}", words.0[16], words.0[20])),
        ("nonsense", text("xqzptvk wrrgh")),
        ("not ASCII", text("größe 日本 🦀")),
    ] {
        measure(connection, label, &query, Sort::Relevance, 1)?;
    }
    measure(connection, "word of half, page 50", &words.0[16], Sort::Relevance, 50)?;
    measure(connection, "word of half, by downloads", &words.0[16], Sort::Downloads, 1)?;
    measure(connection, "word of 5 %, by name", &words.0[250], Sort::Alphabetical, 1)?;
    measure(connection, "list by downloads, page 1", "", Sort::Downloads, 1)?;
    measure(connection, "list by downloads, page 100", "", Sort::Downloads, 100)?;
    measure(connection, "list by name, page 1", "", Sort::Alphabetical, 1)?;
    measure(connection, "list by update, page 100", "", Sort::RecentUpdates, 100)
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

fn measure(connection: &mut PgConnection, label: &str, text: &str, sort: Sort, page: i64) -> Outcome<()> {
    let query = SearchQuery { text: SearchText::parse(text), filter: Filter::default(), sort, after: None };
    let page = Page { limit: 10, offset: 10 * (page - 1) };
    let mut times = Vec::new();
    let totals = Totals::default();
    let mut total = 0;
    for _ in 0..amount(RUNS, 2) {
        let begin = Instant::now();
        let found = search::search(connection, &query, page, &totals)?;
        let rows = crate_details::by_ids(connection, &found.crate_ids)?;
        times.push(begin.elapsed());
        assert!(rows.len() <= 10);
        total = found.total;
    }
    report(&format!("{label:<34}{total:>9}"), &mut times);
    Ok(())
}

/// What the job pays for a crate, new and unchanged, without its commit.
fn publishes(connection: &mut PgConnection, words: &Words) -> Outcome<()> {
    let mut random = StdRng::seed_from_u64(2);
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    for id in 1..=amount(200, 3) as i64 {
        let readme = words.text(&mut random, 2 * README_WORDS);
        diesel::sql_query("UPDATE versions SET metadata = jsonb_build_object('readme', $1) WHERE crate_id = $2")
            .bind::<Text, _>(&readme)
            .bind::<BigInt, _>(id)
            .execute(connection)?;
        for times in [&mut changed, &mut unchanged] {
            let begin = Instant::now();
            descriptions::request(connection, &[i32::try_from(id)?])?;
            descriptions::describe_next(connection)?;
            times.push(begin.elapsed());
        }
    }
    report(&format!("{:<43}", "describing a crate anew"), &mut changed);
    report(&format!("{:<43}", "describing it as it was"), &mut unchanged);
    Ok(())
}

/// Prints median, 99th percentile and maximum; sorts.
fn report(label: &str, times: &mut [Duration]) {
    times.sort();
    let [median, p99, max] = [times.len() / 2, times.len() * 99 / 100, times.len() - 1]
        .map(|place| format!("{:.1} ms", times[place.min(times.len() - 1)].as_secs_f64() * 1000.0));
    println!("  {label}{median:>10}{p99:>10}{max:>10}");
}
