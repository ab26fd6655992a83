//! The fuzz targets on the stable compiler, within seconds: the whole corpus and reproducible mutations of it.
//!
//! CONTRIBUTING.md has the command for a long run. An input that it finds becomes a file of the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
pub mod targets;

use targets::{TARGETS, Target};

/// The number of mutations for each target.
const MUTATIONS: usize = 2_000;

/// The largest number of files in a corpus, and the largest file in bytes.
const MAX_FILES: usize = 30;
const MAX_BYTES: usize = 4096;

/// Parts of inputs that parsers treat specially.
const TOKENS: [&[u8]; 25] = [
    b"\0",
    b"\n",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"/",
    b"..",
    b"dep:",
    b"?/",
    b"*",
    b"\x1e",
    b"\x1f",
    b"\xff",
    "é".as_bytes(),
    b"yanked",
    b"99999999999999999999",
    b"cfg(",
    b"0000",
    b"0001",
    b"want ",
    b"deepen ",
    b"filter ",
];

/// A xorshift generator, which gives the same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

pub fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Runs a target, and prints the input if it fails.
fn run(name: &str, target: Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|panic| {
        println!("{name} fails on \"{}\"", input.escape_ascii());
        std::panic::resume_unwind(panic)
    })
}

/// Changes an input in one to four places, except the letter at its start.
pub fn mutate(random: &mut Random, input: &mut Vec<u8>, others: &[(String, Vec<u8>)]) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len()).max(1).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => drop(input.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            2 => {
                let end = (at + 1 + random.below(8)).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let part = input[at..(at + random.below(64)).min(input.len())].to_vec();
                input.splice(at..at, part);
            }
            4 => {
                let other = &others[random.below(others.len())].1;
                let from = random.below(other.len());
                let part = other[from..(from + random.below(64)).min(other.len())].to_vec();
                let end = (at + part.len()).min(input.len());
                input.splice(at..end, part);
            }
            _ => input.truncate(at + random.below(input.len() - at + 1)),
        }
    }
}

#[test]
fn parsers_of_untrusted_bytes_keep_their_rules() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!((5..=MAX_FILES).contains(&corpus.len()), "{name} has {} files", corpus.len());
        let mut good = 0;
        for (file, input) in &corpus {
            assert!(input.len() <= MAX_BYTES, "{name}/{file}");
            good += usize::from(run(&format!("{name}/{file}"), target, input));
        }
        // Mutations of inputs that are refused early would not reach most of the parser.
        assert!(good * 4 >= corpus.len(), "{name} has {good} good files");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..MUTATIONS {
            let mut input = corpus[random.below(corpus.len())].1.clone();
            mutate(&mut random, &mut input, &corpus);
            run(name, target, &input);
        }
    }
}
