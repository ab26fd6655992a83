//! Fuzz targets: the five parsers of untrusted bytes, and what must be true of their results.
//!
//! libFuzzer runs these functions for any length of time (`fuzz_targets`). A test of the inner loop
//! (`tests/registry/fuzzing.rs`) runs them on the corpus and a few thousand mutations of it. A panic is a finding; so
//! is a slow input, which libFuzzer's `-timeout` reports.
//!
//! A corpus file begins with a letter for its format, because a fuzzer that has to invent checksums, lengths or gzip
//! streams never gets past them.

pub mod git_request;
pub mod index_path;
pub mod names;
pub mod publish_body;
pub mod tarball;

/// A target takes any bytes; it is true if they were accepted as one of its formats.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is the name of its corpus, too.
pub const TARGETS: [(&str, Target); 5] = [
    ("publish_body", publish_body::run),
    ("tarball", tarball::run),
    ("index_path", index_path::run),
    ("names", names::run),
    ("git_request", git_request::run),
];

/// The separator between the parts of one input.
const SEPARATOR: u8 = 0x1e;

/// The most characters of a message to a client, whatever it quotes.
const MAX_MESSAGE: usize = 4_000;

/// Checks that a message is short, has one line and no control sequences for a terminal.
fn check_message(message: &str) {
    let length = message.chars().count();
    assert!(length <= MAX_MESSAGE, "a message of {length} characters: {message}");
    let control = message.chars().find(|c| supercargo::package::characters::is_hidden(*c));
    assert_eq!(control, None, "a hidden character in a message: {message:?}");
}

/// A gzip stream of these bytes, stored without compression because that is fast.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory takes every byte");
    encoder.finish().expect("memory takes every byte")
}
