//! Compressed bodies of git fetches.

use std::io::Read;

use crate::support::git_fetch::{Fetcher, gzip, line};
use crate::support::process::Served;

const AT_ONCE: usize = 60;

/// The memory that the server may use for all of them together, in MiB.
const MAY_TAKE: u64 = 100;

/// A hundred of these requests used 1.6 GB.
#[test]
fn compressed_bodies_are_not_decompressed_in_memory() {
    let served = Served::start(&[]);
    let fetcher = Fetcher::new(&served);
    let head = fetcher.fill(3);
    let want = line(&format!("want {head}\n"));
    let haves = |count: usize| "0032have 1111111111111111111111111111111111111111\n".repeat(count);
    for (what, body) in [
        ("flushes", vec![b'0'; 16 << 20]),
        ("commits, too many", format!("{want}0000{}0009done\n", haves(330_000)).into_bytes()),
        ("commits, within the limit", format!("{want}0000{}0009done\n", haves(41_000)).into_bytes()),
    ] {
        let body = gzip(&body);
        let before = fetcher.peak_of_server();
        let mut streams: Vec<_> = (0..AT_ONCE).map(|_| fetcher.send(0, &["Content-Encoding: gzip"], &body)).collect();
        for stream in &mut streams {
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert!(status.starts_with(b"HTTP/1.1 "), "{what}");
        }
        let taken = fetcher.peak_of_server() - before;
        assert!(taken < MAY_TAKE, "{what}: {taken} MiB");
    }
}
