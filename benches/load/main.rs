//! The tools of script/bench: registries of any size, and clients that publish, yank and read.
//!
//! `cargo bench --bench load -- populate DATA_DIR CRATES STATIC_DIR` fills a running registry, and writes what its sparse
//! index shows as static files. The other commands send requests and print their figures as JSON.

mod clients;
mod realistic;

use std::error::Error;
use std::path::Path;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "load populate DATA_DIR CRATES STATIC_DIR
load publish API TOKEN PREFIX CLIENTS COUNT [BYTES]
load yank API TOKEN CRATE VERSION COUNT
load get URL COUNT";

fn main() -> Outcome<()> {
    // cargo passes `--bench` on.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // As `cargo bench` runs it.
        [] => smoke(),
        ["populate", data_dir, crates, files] => {
            realistic::populate(Path::new(data_dir), crates.parse()?, Path::new(files))
        }
        ["publish", api, token, prefix, clients, count] => {
            clients::publish((api, token), prefix, clients.parse()?, count.parse()?, 0)
        }
        ["publish", api, token, prefix, clients, count, bytes] => {
            clients::publish((api, token), prefix, clients.parse()?, count.parse()?, bytes.parse()?)
        }
        ["yank", api, token, name, version, count] => clients::yank((api, token), name, version, count.parse()?),
        ["get", url, count] => clients::get(url, count.parse()?),
        _ => Err(USAGE.into()),
    }
}

/// Shows that the generator is deterministic and that its lines can be read.
fn smoke() -> Outcome<()> {
    let (first, second) = (realistic::Crates::new(100), realistic::Crates::new(100));
    for number in 0..100 {
        let lines = first.lines(number);
        if lines != second.lines(number) {
            return Err(format!("crate {number} differs from itself").into());
        }
        for line in lines {
            serde_json::from_str::<supercargo::index::entry::Entry>(&line)?;
        }
    }
    println!("100 crates are as they should be; script/bench measures");
    Ok(())
}
