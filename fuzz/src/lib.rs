//! The fuzz targets: the four places that read untrusted bytes, with the properties of their results.
//!
//! libFuzzer runs the functions for any time (`fuzz_targets`), and a test of the inner loop (`tests/registry/fuzzing.rs`)
//! runs them on the corpus and a few thousand mutations of it. A panic is a finding, and so is an input that takes long,
//! which libFuzzer's `-timeout` reports.
//!
//! A corpus file begins with a letter that selects its format, because a fuzzer that has to invent checksums or gzip
//! streams never gets past them.

pub mod index_path;
pub mod names;
pub mod publish_body;
pub mod tarball;

/// A target accepts any bytes, and gives whether they were valid.
pub type Target = fn(&[u8]) -> bool;

/// All targets by name, which is also the name of the corpus.
pub const TARGETS: [(&str, Target); 4] = [
    ("publish_body", publish_body::run),
    ("tarball", tarball::run),
    ("index_path", index_path::run),
    ("names", names::run),
];

/// The separator between the parts of an input.
const SEPARATOR: u8 = 0x1e;

/// The longest message to a client, in characters.
const MAX_MESSAGE: usize = 4_000;

/// Checks that a message is short, on one line, and without hidden characters.
fn check_message(message: &str) {
    let length = message.chars().count();
    assert!(length <= MAX_MESSAGE, "a message of {length} characters: {message}");
    let control = message.chars().find(|c| supercargo::package::characters::is_hidden(*c));
    assert_eq!(control, None, "a hidden character in a message: {message:?}");
}

/// A gzip stream of these bytes, stored without compression to save time.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory takes every byte");
    encoder.finish().expect("memory takes every byte")
}
