//! Clients that read git answers slowly.

use std::io::Read;

use crate::support::git_fetch::{Fetcher, fetch_v2};
use crate::support::process::Served;

/// More than the buffers of a connection hold.
const LARGE: usize = 8 << 20;

/// There were twice as many processes as cores, at least four, and each waited for its client.
#[test]
fn clients_that_read_nothing_do_not_block_the_index() {
    let served = Served::start(&[]);
    let fetcher = Fetcher::new(&served);
    let head = fetcher.fill_with_noise(LARGE);
    let processes = std::thread::available_parallelism().map_or(4, |cores| (2 * cores.get()).max(4));
    let want = format!("want {head}");
    let _silent: Vec<_> = (1..=processes)
        .map(|depth| {
            let depth = format!("deepen {depth}");
            let mut stream = fetcher.send(2, &[], &fetch_v2(&[&depth, &want, "done"]));
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
            stream
        })
        .collect();
    let listed = fetcher.get("/git/index/info/refs?service=git-upload-pack");
    assert_eq!(listed.status, 200, "{}", listed.text());
    let fetched = fetcher.post(2, &fetch_v2(&[&want, "done"]));
    assert_eq!(fetched.status, 200, "{}", fetched.text());
    assert!(fetched.body.len() > LARGE);
}
