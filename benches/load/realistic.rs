//! Crates that resemble published ones: names of one to three words, three to ten versions, and a last crate with many;
//! dependencies that are popular as names are in a language: the n-th most popular crate has one n-th of the dependents of
//! the first. Keywords, descriptions and READMEs are of words that are as frequent as words are.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use supercargo::package::CrateName;
use supercargo::package::index_path::index_path;
use supercargo::package::policy::labels::known_categories;

use crate::Outcome;
use crate::words::Words;

const WORDS: [&str; 40] = [
    "serde", "tokio", "async", "http", "json", "parse", "macro", "core", "util", "log", "wasm", "image", "math", "net",
    "proto", "codec", "stream", "task", "time", "file", "path", "hash", "tree", "graph", "cache", "queue", "sync",
    "crypto", "rand", "text", "regex", "shell", "term", "gpu", "audio", "video", "font", "color", "shape", "data",
];
/// The crate with many versions. It belongs to the admin.
pub const MANY: &str = "many-versions";
const MANY_VERSIONS: usize = 3_000;
const DESCRIPTION_WORDS: usize = 12;
const README_WORDS: usize = 60;

/// All crates, each a function of its number.
pub struct Crates {
    count: usize,
    words: Words,
    categories: Vec<&'static str>,
}

/// What a manifest says of a crate. Keywords and categories are separated by spaces.
#[derive(PartialEq, Eq)]
pub struct About {
    pub description: String,
    pub keywords: String,
    pub categories: String,
    pub readme: String,
}

impl Crates {
    /// So many crates, and the one with many versions unless there are none.
    pub fn new(count: usize) -> Self {
        Self { count, words: Words::new(), categories: known_categories().collect() }
    }

    pub fn numbers(&self) -> std::ops::Range<usize> {
        0..if self.count == 0 { 0 } else { self.count + 1 }
    }

    pub fn has_many_versions(&self, number: usize) -> bool {
        number == self.count
    }

    pub fn name(&self, number: usize) -> String {
        if self.has_many_versions(number) {
            return MANY.to_owned();
        }
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

    pub fn versions(&self, number: usize) -> Vec<String> {
        if self.has_many_versions(number) {
            return (0..MANY_VERSIONS).map(|patch| format!("1.0.{patch}")).collect();
        }
        let count = Self::random(number).random_range(3..=10);
        (0..count).map(|place| format!("{}.{}.{}", number % 2, place / 3, place % 3)).collect()
    }

    /// The lines of the crate's index file.
    pub fn lines(&self, number: usize) -> Vec<String> {
        let name = self.name(number);
        let deps = self.dependencies(number, &name);
        let line = |version: String| {
            let checksum: [u8; 32] = Sha256::digest(format!("{name} {version}")).into();
            let checksum: String = checksum.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[{deps}],\"cksum\":\"{checksum}\",\"features\":{{\"default\":[\"std\"],\"std\":[]}},\"yanked\":false,\"rust_version\":\"1.70\",\"pubtime\":\"2026-01-01T00:00:00Z\"}}"
            )
        };
        self.versions(number).into_iter().map(line).collect()
    }

    /// The entries of `deps`, which all versions have.
    fn dependencies(&self, number: usize, name: &str) -> String {
        if self.has_many_versions(number) {
            return String::new();
        }
        let mut random = Self::random(number);
        let mut names: Vec<String> =
            (0..random.random_range(0..8)).map(|_| self.dependency(number, &mut random)).collect();
        names.sort();
        names.dedup();
        names.retain(|dependency| dependency != name);
        let mut deps = String::new();
        for (place, dependency) in names.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(
                deps,
                "{comma}{{\"name\":\"{dependency}\",\"req\":\"^{}\",\"features\":[],\"optional\":false,\"default_features\":true,\"target\":null,\"kind\":\"normal\"}}",
                place % 2
            );
        }
        deps
    }

    pub fn about(&self, number: usize) -> About {
        let mut random = Self::random(number);
        let keyword = WORDS[random.random_range(0..WORDS.len())];
        let mut keywords = vec![keyword.to_owned(), self.words.any(&mut random).to_owned(), format!("{keyword}-tools")];
        keywords.dedup();
        // The n-th category has one n-th of the crates of the first.
        let rank = (random.random::<f64>() * (self.categories.len() as f64).ln()).exp() as usize;
        About {
            description: format!("A crate for {}", self.words.text(&mut random, DESCRIPTION_WORDS)),
            keywords: keywords.join(" "),
            categories: self.categories[rank.saturating_sub(1)].to_owned(),
            readme: self.words.text(&mut random, README_WORDS),
        }
    }

    /// The path of the crate's index file.
    pub fn path(&self, number: usize) -> Outcome<String> {
        Ok(index_path(&self.name(number).parse::<CrateName>()?))
    }
}
