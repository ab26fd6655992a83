//! The crate files of an upstream: fetched once, and kept if they are the ones of its index.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use supercargo::package::Checksum;

use super::{ALWAYS_FRESH, OLD, at_once, download, download_url, index, through};
use crate::support::event::wait_until;
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const FILE: &str = "/dl/foo/1.0.0";

/// A crate whose file has some 600 KiB.
fn large() -> Package {
    let noise: Vec<u8> = (0..600_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Package::new("large", "1.0.0").file("noise", &noise)
}

fn files_in(directory: &Path, found: &mut Vec<Checksum>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_in(&path, found);
        } else {
            // A file may be renamed at this moment.
            found.extend(std::fs::read(&path).map(|content| Checksum::of(&content)));
        }
    }
}

/// The files that are kept of upstreams.
fn kept(served: &Served) -> Vec<Checksum> {
    let mut found = Vec::new();
    files_in(&served.data_dir().join("crates/upstream"), &mut found);
    found
}

/// All crate files, the private ones included.
fn stored(served: &Served) -> Vec<Checksum> {
    let mut found = Vec::new();
    files_in(&served.data_dir().join("crates"), &mut found);
    found
}

/// A connection that has sent a request and not read the answer.
fn begin(served: &Served, name: &str) -> TcpStream {
    let mut connection = TcpStream::connect(served.address()).unwrap();
    let url = download_url(served, name, "1.0.0");
    let path = url.strip_prefix(&served.url).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", served.address()).unwrap();
    connection
}

/// Reads until there are so many bytes, or the connection has ended.
fn read_up_to(connection: &mut TcpStream, bytes: usize, answer: &mut Vec<u8>) {
    let mut part = vec![0; 65536];
    while answer.len() < bytes {
        match connection.read(&mut part) {
            Ok(0) => return,
            Ok(read) => answer.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn head_and_body(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), &answer[end + 4..])
}

fn add_large(upstream: &FaultyUpstream) -> Vec<u8> {
    upstream.add(&large(), OLD);
    large().crate_file()
}

const LARGE: &str = "/dl/large/1.0.0";

#[test]
fn a_file_is_fetched_once_and_kept_beside_the_private_ones() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    http::publish(&served.url, &served.token("ann"), &Package::new("mine", "1.0.0")).good();
    let mine = Checksum::of(&Package::new("mine", "1.0.0").crate_file());
    let file = Package::new("foo", "1.0.0").crate_file();
    upstream.set(FILE, Behaviour::Stall);
    let replies = at_once(
        20,
        || download(&served, "foo", "1.0.0"),
        || {
            wait_until("the clients to be connected", || served.count_clients() >= 20);
            wait_until("the request", || upstream.count(FILE) > 0);
            upstream.set(FILE, Behaviour::file(file.clone()));
        },
    );
    for reply in replies {
        assert_eq!(reply.good().body, file);
    }
    let sum = Checksum::of(&file);
    assert_eq!(kept(&served), [sum]);
    let mut all = stored(&served);
    all.sort_by_key(|one| *one == sum);
    assert_eq!(all, [mine, sum]);
    let again = download(&served, "foo", "1.0.0").good();
    assert_eq!((again.body.as_slice(), again.header("etag")), (&*file, &*format!("\"{sum}\"")));
    assert_eq!(again.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!((upstream.count(FILE), upstream.count("/index/config.json")), (1, 1));
}

#[test]
fn many_files_at_the_same_time_make_one_request_for_config_json() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let packages: Vec<_> = (0..10).map(|number| Package::new(&format!("foo{number}"), "1.0.0")).collect();
    for package in &packages {
        upstream.add(package, OLD);
    }
    let config = upstream.behaviour("/index/config.json").unwrap();
    upstream.set("/index/config.json", Behaviour::Stall);
    let next = AtomicUsize::new(0);
    let replies = at_once(
        packages.len(),
        || {
            let package = &packages[next.fetch_add(1, Ordering::Relaxed)];
            (download(&served, &package.name, "1.0.0"), package.crate_file())
        },
        || {
            let is_asked =
                |package: &Package| upstream.count(&format!("/index/fo/o{0}/foo{0}", &package.name[3..])) > 0;
            wait_until("the index to be asked", || packages.iter().all(is_asked));
            upstream.set("/index/config.json", config);
        },
    );
    for (reply, file) in replies {
        assert_eq!(reply.good().body, file);
    }
    assert_eq!(upstream.count("/index/config.json"), 1);
}

#[test]
fn a_file_that_is_not_the_one_of_the_index_is_refused_and_not_fetched_again_soon() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    upstream.set(FILE, Behaviour::file(Package::new("foo", "1.0.0").described("Another crate").crate_file()));
    for _ in 0..3 {
        let refused = download(&served, "foo", "1.0.0");
        assert_eq!(refused.status, 502);
        let text = refused.text();
        assert!(text.contains("the crate file is not the one of the index of other, and was not kept"), "{text}");
        assert!(text.contains(&Checksum::of(&Package::new("foo", "1.0.0").crate_file()).to_string()), "{text}");
        assert_eq!((kept(&served), upstream.count(FILE)), (vec![], 1));
    }
    let head = http::head(&download_url(&served, "foo", "1.0.0"));
    assert_eq!((head.status, upstream.count(FILE)), (502, 1));
}

/// The index of one names a file of the other, and sends something else for it, or nothing.
#[test]
fn an_upstream_does_not_keep_clients_from_the_files_of_another() {
    let (liar, honest) = (FaultyUpstream::start(), FaultyUpstream::start());
    let upstreams = [format!("liar={}", liar.sparse()), format!("honest={}", honest.sparse())];
    let served = Served::start(&["--upstream", &upstreams[0], "--upstream", &upstreams[1]]);
    let from = |upstream: &str, name: &str| {
        http::get(&format!("{}/upstream/{upstream}/api/v1/crates/{name}/1.0.0/download", served.url))
    };
    for (name, behaviour, status) in
        [("foo", Behaviour::file("something else"), 502), ("bar", Behaviour::Halt(10, vec![0; 1000]), 0)]
    {
        let package = Package::new(name, "1.0.0");
        liar.add(&package, OLD);
        honest.add(&package, OLD);
        liar.set(&format!("/dl/{name}/1.0.0"), behaviour);
        if status > 0 {
            assert_eq!(from("liar", name).status, status);
        } else {
            let mut connection = TcpStream::connect(served.address()).unwrap();
            let request = format!("GET /upstream/liar/api/v1/crates/{name}/1.0.0/download HTTP/1.1\r\nhost: x\r\n\r\n");
            connection.write_all(request.as_bytes()).unwrap();
            wait_until("the transfer", || liar.count(&format!("/dl/{name}/1.0.0")) == 1);
        }
        assert_eq!(from("honest", name).good().body, package.crate_file());
    }
}

#[test]
fn a_large_file_reaches_the_client_while_it_is_fetched() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let file = add_large(&upstream);
    upstream.set(LARGE, Behaviour::Halt(500_000, file.clone()));
    let (mut connection, mut answer) = (begin(&served, "large"), Vec::new());
    read_up_to(&mut connection, 300_000, &mut answer);
    assert!(answer.len() >= 300_000, "{}", String::from_utf8_lossy(&answer));
    assert!(kept(&served).is_empty());
    upstream.set(LARGE, Behaviour::status(404));
    read_up_to(&mut connection, usize::MAX, &mut answer);
    let (head, body) = head_and_body(&answer);
    assert!(head.contains(&format!("content-length: {}", file.len())), "{head}");
    assert!(body == file);
    assert_eq!(kept(&served), [Checksum::of(&file)]);
    assert!(download(&served, "large", "1.0.0").good().body == file);
}

#[test]
fn a_large_wrong_file_breaks_the_connection_before_its_last_byte() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let mut file = add_large(&upstream);
    *file.last_mut().unwrap() ^= 1;
    upstream.set(LARGE, Behaviour::Halt(500_000, file.clone()));
    let (mut connection, mut answer) = (begin(&served, "large"), Vec::new());
    read_up_to(&mut connection, 300_000, &mut answer);
    upstream.set(LARGE, Behaviour::status(404));
    read_up_to(&mut connection, usize::MAX, &mut answer);
    let (head, body) = head_and_body(&answer);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(&format!("content-length: {}", file.len())), "{head}");
    assert!(body.len() < file.len(), "{} of {}", body.len(), file.len());
    assert_eq!(download(&served, "large", "1.0.0").status, 502);
    assert_eq!((kept(&served), upstream.count(LARGE)), (vec![], 1));
}

#[test]
fn a_cut_file_is_not_kept_and_fetched_again() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let file = Package::new("foo", "1.0.0").crate_file();
    upstream.set(FILE, Behaviour::Cut(file.len() - 1, file.clone()));
    let refused = download(&served, "foo", "1.0.0");
    assert_eq!((refused.status, refused.retry_after.is_some(), kept(&served)), (503, true, vec![]));
    upstream.set(FILE, Behaviour::file(file.clone()));
    assert_eq!(download(&served, "foo", "1.0.0").good().body, file);
    assert_eq!((kept(&served), upstream.count(FILE)), (vec![Checksum::of(&file)], 2));
    // A large one breaks the client's connection.
    let file = add_large(&upstream);
    upstream.set(LARGE, Behaviour::Cut(file.len() - 1, file.clone()));
    let (mut connection, mut answer) = (begin(&served, "large"), Vec::new());
    read_up_to(&mut connection, usize::MAX, &mut answer);
    let (head, body) = head_and_body(&answer);
    assert!(body.len() < file.len() && !head.contains(" 404 "), "{head}");
    upstream.set(LARGE, Behaviour::file(file.clone()));
    assert!(download(&served, "large", "1.0.0").good().body == file);
}

#[test]
fn a_client_that_goes_away_does_not_end_the_transfer() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let file = add_large(&upstream);
    upstream.set(LARGE, Behaviour::Halt(500_000, file.clone()));
    let (mut connection, mut answer) = (begin(&served, "large"), Vec::new());
    read_up_to(&mut connection, 300_000, &mut answer);
    drop(connection);
    wait_until("the client to be gone", || served.count_clients() == 0);
    upstream.set(LARGE, Behaviour::status(404));
    wait_until("the file", || kept(&served) == [Checksum::of(&file)]);
    assert_eq!(upstream.count(LARGE), 1);
}

#[test]
fn a_part_and_the_head_are_those_of_the_whole_file() {
    for is_kept in [false, true] {
        let (upstream, served) = through(&ALWAYS_FRESH);
        let file = add_large(&upstream);
        let url = download_url(&served, "large", "1.0.0");
        if is_kept {
            download(&served, "large", "1.0.0").good();
        }
        let part = http::get_part(&url, "bytes=100-299");
        assert_eq!((part.status, &part.body[..]), (206, &file[100..300]));
        assert_eq!(part.header("content-range"), format!("bytes 100-299/{}", file.len()));
        assert_eq!(http::get_part(&url, "bytes=9999999-").status, 416);
        let head = http::head(&url).good();
        assert_eq!((head.header("content-length"), head.body.len()), (&*file.len().to_string(), 0));
        let known = http::get_with(&url, &[("if-none-match", &format!("\"{}\"", Checksum::of(&file)))]);
        assert_eq!((known.status, known.body.len()), (304, 0));
        assert_eq!(upstream.count(LARGE), 1);
    }
}

#[test]
fn the_head_alone_fetches_the_file() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    let file = Package::new("foo", "1.0.0").crate_file();
    let head = http::head(&download_url(&served, "foo", "1.0.0")).good();
    assert_eq!(head.header("content-length"), file.len().to_string());
    assert_eq!((kept(&served), upstream.count(FILE)), (vec![Checksum::of(&file)], 1));
}

#[test]
fn what_the_upstream_lacks_is_a_404() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    for (name, version) in [("foo", "2.0.0"), ("bar", "1.0.0")] {
        let absent = download(&served, name, version);
        assert_eq!(absent.status, 404);
        assert_eq!(absent.text(), format!("the upstream other has no {name}@{version}\n"));
    }
    for status in [404, 410, 451] {
        upstream.set(FILE, Behaviour::status(status));
        let absent = download(&served, "foo", "1.0.0");
        assert_eq!(absent.status, 404);
        assert!(absent.text().contains(&format!("/dl/foo/1.0.0 answered {status}")), "{}", absent.text());
    }
    upstream.set(FILE, Behaviour::file(Package::new("foo", "1.0.0").crate_file()));
    download(&served, "foo", "1.0.0").good();
}

#[test]
fn a_kept_file_needs_no_upstream_and_another_one_is_not_called_absent() {
    let (mut upstream, served) = through(&ALWAYS_FRESH);
    upstream.add(&Package::new("foo", "1.1.0"), OLD);
    upstream.add(&Package::new("large", "1.0.0"), OLD);
    let file = download(&served, "foo", "1.0.0").good().body;
    // Its line is known, and its file is not kept.
    index(&served, "la/rg/large").good();
    upstream.stop();
    assert_eq!(download(&served, "foo", "1.0.0").good().body, file);
    for (name, version) in [("foo", "1.1.0"), ("large", "1.0.0"), ("bar", "1.0.0")] {
        let refused = download(&served, name, version);
        assert_eq!((refused.status, refused.retry_after.is_some()), (503, true), "{name}@{version}");
    }
}

#[test]
fn downloads_of_an_upstream_that_fails_are_no_404() {
    let (upstream, served) = through(&ALWAYS_FRESH);
    for fault in [Behaviour::status(500), Behaviour::status(429), Behaviour::redirect(FILE)] {
        upstream.set(FILE, fault);
        let before = upstream.count(FILE);
        wait_until("the upstream to be asked", || {
            assert_eq!(download(&served, "foo", "1.0.0").status, 503);
            upstream.count(FILE) > before
        });
    }
    upstream.set(FILE, Behaviour::file(Package::new("foo", "1.0.0").crate_file()));
    wait_until("the end of the pause", || download(&served, "foo", "1.0.0").status == 200);
}
