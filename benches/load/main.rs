//! The tools of script/bench: registries of any size, and clients that publish, yank and read.
//!
//! `cargo bench --bench load -- populate DATA_DIR CRATES STATIC_DIR` fills a running registry, and writes what its sparse
//! index shows as static files. The other commands send requests and print their figures as JSON.

mod clients;
#[path = "../support/floor.rs"]
mod floor;
mod package;
mod populate;
mod realistic;
#[path = "../support/words.rs"]
mod words;

use std::error::Error;
use std::path::Path;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "load populate DATA_DIR CRATES STATIC_DIR
load publish API TOKEN PREFIX VERSION CLIENTS COUNT BYTES   (new crates, or new versions of crates with one version)
load versions API TOKEN CRATE FIRST COUNT                   (1.0.FIRST and those after it, of one crate)
load overload API TOKENS PREFIX CLIENTS SECONDS             (new crates of several users; refusals are counted)
load yank API TOKEN CRATE VERSION COUNT
load floor DATA_DIR PREFIX COUNT                            (the durable writes of new crates alone)
load get API PATHS_FILE SECONDS                             (one path after the other, again and again)";

fn main() -> Outcome<()> {
    // cargo passes `--bench` on, and script/test `--test`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // As `cargo bench` runs it.
        [] => smoke(),
        ["populate", data_dir, crates, files] => {
            populate::populate(Path::new(data_dir), crates.parse()?, Path::new(files))
        }
        ["publish", api, token, prefix, version, clients, count, bytes] => {
            clients::publish((api, token), (prefix, version), clients.parse()?, count.parse()?, bytes.parse()?)
        }
        ["versions", api, token, name, first, count] => {
            clients::versions((api, token), name, first.parse()?, count.parse()?)
        }
        ["overload", api, tokens, prefix, clients, seconds] => {
            clients::overload((api, tokens), prefix, clients.parse()?, seconds.parse()?)
        }
        ["yank", api, token, name, version, count] => clients::yank((api, token), name, version, count.parse()?),
        ["floor", data_dir, prefix, count] => clients::floor(Path::new(data_dir), prefix, count.parse()?),
        ["get", api, paths, seconds] => clients::get(api, Path::new(paths), seconds.parse()?),
        _ => Err(USAGE.into()),
    }
}

/// Shows that the generator is deterministic and that its lines can be read.
fn smoke() -> Outcome<()> {
    let (first, second) = (realistic::Crates::new(100), realistic::Crates::new(100));
    for number in first.numbers() {
        let lines = first.lines(number);
        if lines != second.lines(number) || first.about(number) != second.about(number) {
            return Err(format!("crate {number} differs from itself").into());
        }
        for line in lines {
            serde_json::from_str::<supercargo::index::entry::Entry>(&line)?;
        }
    }
    println!("100 crates are as they should be; script/bench measures");
    Ok(())
}
