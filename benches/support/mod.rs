//! Indexes of any size to measure on.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::process::Stdio;

use supercargo::index::Index;

/// One commit with every crate on top of what is there, through git's bulk import.
pub fn populate(index: &Index, size: usize) -> Result<(), Box<dyn Error>> {
    let mut git = index
        .git()
        .command()
        .arg("--git-dir")
        .arg(index.path())
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut stream = BufWriter::new(git.stdin.take().ok_or("git has no input")?);
    write!(stream, "commit refs/heads/main\ncommitter bench <bench@localhost> 0 +0000\ndata 8\nPopulate\n")?;
    if let Some(head) = index.head()?.commit {
        writeln!(stream, "from {head}")?;
    }
    for number in 0..size {
        let name = name(number);
        let content = line(&name, 0);
        write!(stream, "M 100644 inline {}\ndata {}\n{content}\n", path(&name), content.len())?;
    }
    stream.flush()?;
    drop(stream);
    if git.wait()?.success() { Ok(()) } else { Err("git fast-import failed".into()) }
}

/// Names spread over the directories about as unevenly as words do.
pub fn name(number: usize) -> String {
    const STARTS: [&str; 12] =
        ["serde", "tokio", "rust", "cargo", "async", "lib", "wasm", "http", "git", "actix", "proc", "zlib"];
    let mixed = number.wrapping_mul(2_654_435_761) % 456_976;
    let letters: String = (0..4).map(|place| char::from(b'a' + (mixed / 26_usize.pow(place) % 26) as u8)).collect();
    if number.is_multiple_of(4) {
        format!("{}-{letters}{number}", STARTS[number / 4 % STARTS.len()])
    } else {
        format!("{letters}-{number}")
    }
}

/// Where the file of such a name is.
pub fn path(name: &str) -> String {
    format!("{}/{}/{name}", &name[..2], &name[2..4])
}

/// A line of such a file, its newline included.
pub fn line(name: &str, patch: usize) -> String {
    format!(
        "{{\"name\":\"{name}\",\"vers\":\"1.0.{patch}\",\"deps\":[{{\"name\":\"serde\",\"req\":\"^1\",\"features\":[],\"optional\":false,\"default_features\":true,\"target\":null,\"kind\":\"normal\"}}],\"cksum\":\"{patch:064x}\",\"features\":{{}},\"yanked\":false}}\n"
    )
}
