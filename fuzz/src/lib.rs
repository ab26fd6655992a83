//! What is fuzzed: the four places where bytes of strangers come in, and what must hold of whatever comes out.
//!
//! The same functions are run by libFuzzer (`fuzz_targets`) for as long as somebody has patience, and by a test of the
//! inner loop (`tests/registry/fuzzing.rs`) on the corpus and some thousand mutations of it. A panic is a finding; so is
//! an input that takes long, which libFuzzer's `-timeout` tells.
//!
//! A corpus file begins with a letter that says how it is to be read, because a fuzzer that has to invent checksums or
//! gzip streams never gets behind them.

pub mod index_path;
pub mod names;
pub mod publish_body;
pub mod tarball;

/// A target takes any bytes at all, and tells whether they were good for something.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its corpus as well.
pub const TARGETS: [(&str, Target); 4] = [
    ("publish_body", publish_body::run),
    ("tarball", tarball::run),
    ("index_path", index_path::run),
    ("names", names::run),
];

/// Between the parts of one input.
const SEPARATOR: u8 = 0x1e;

/// Characters that a message to a client may have, whatever it quotes.
const MAX_MESSAGE: usize = 4_000;

/// A message is short, on one line, and holds nothing that a terminal would obey.
fn check_message(message: &str) {
    let length = message.chars().count();
    assert!(length <= MAX_MESSAGE, "a message of {length} characters: {message}");
    let control = message.chars().find(|c| supercargo::package::characters::is_hidden(*c));
    assert_eq!(control, None, "a hidden character in a message: {message:?}");
}

/// A gzip stream of these bytes. Stored and not compressed, so that it costs nothing.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory takes every byte");
    encoder.finish().expect("memory takes every byte")
}
