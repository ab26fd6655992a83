//! Uploads that are not finished.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::http_forms::{connect, status};
use crate::support::event::wait_until;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::tls::{Authority, BOTH};

const MIB: usize = 1024 * 1024;

/// Resident memory of the server, or its peak, in bytes.
fn memory(served: &Served, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Resets the peak to the current memory.
fn reset_peak(served: &Served) {
    std::fs::write(format!("/proc/{}/clear_refs", served.process_id()), "5").unwrap();
}

/// Sizes of the unnamed files that the server has open.
fn unnamed_files(served: &Served) -> Vec<usize> {
    let directory = format!("/proc/{}/fd", served.process_id());
    let open = std::fs::read_dir(directory).unwrap().filter_map(Result::ok);
    open.filter(|open| {
        let target = std::fs::read_link(open.path()).unwrap_or_default();
        target.starts_with(served.data_dir()) && target.to_string_lossy().ends_with(" (deleted)")
    })
    .filter_map(|open| Some(usize::try_from(std::fs::metadata(open.path()).ok()?.len()).unwrap()))
    .collect()
}

/// An incompressible publish of this size.
fn body(name: &str, size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise: Vec<u8> = (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect();
    Package::new(name, "1.0.0").file("noise", &noise).body()
}

/// Sends all of a publish but its last byte.
fn park(served: &Served, token: &str, body: &[u8]) -> TcpStream {
    let mut stream = connect(served);
    let head = format!(
        "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..body.len() - 1]).unwrap();
    stream
}

#[test]
fn uploads_that_are_not_finished_are_on_the_disk_and_not_in_memory() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let body = body("noisy", 4 * MIB);
    let before = memory(&served, "VmRSS");
    let mut parked: Vec<_> = (0..30).map(|_| park(&served, &token, &body)).collect();
    let arrived = || unnamed_files(&served).iter().filter(|&&size| size + 1 == body.len()).count();
    // Without files the bodies would be in memory.
    wait_until("the uploads", || arrived() == parked.len() || memory(&served, "VmRSS") > before + 100 * MIB);
    let grown = memory(&served, "VmRSS").saturating_sub(before);
    assert!(grown < 40 * MIB, "30 uploads of 4 MiB take {} MiB", grown / MIB);

    let mut last = parked.pop().unwrap();
    last.write_all(&body[body.len() - 1..]).unwrap();
    assert_eq!(status(&mut last), 200);
    drop((parked, last));
    wait_until("the files to be gone", || unnamed_files(&served).is_empty());
}

#[test]
fn one_user_has_64_uploads_at_most() {
    let served = Served::start(&[]);
    let (ann, bob) = (served.token("ann"), served.token("bob"));
    let begin = |token: &str| {
        let mut stream = connect(&served);
        let head = format!(
            "PUT /api/v1/crates/new HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 1000\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        (status(&mut stream), stream)
    };
    let held: Vec<_> = (0..64).map(|_| begin(&ann)).collect();
    assert!(held.iter().all(|(status, _)| *status == 100));
    assert_eq!(begin(&ann).0, 429);
    assert_eq!(begin(&bob).0, 100);
    drop(held);
    wait_until("room for the user", || begin(&ann).0 == 100);
}

#[test]
fn an_http_2_connection_has_32_streams_with_small_windows() {
    let authority = Authority::new();
    let arguments = authority.arguments();
    let served = Served::start(&arguments.each_ref().map(String::as_str));
    let mut client = authority.connect(&served.address(), &["h2"], BOTH);
    client.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    client.0.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    let mut settings = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    client.0.read_exact(&mut settings).unwrap();
    let setting = |number: u8| {
        let found = settings.chunks(6).find(|setting| setting[1] == number).unwrap_or_else(|| panic!("no {number}"));
        u32::from_be_bytes(found[2..].try_into().unwrap())
    };
    let (streams, window, head_size) = (setting(3), setting(4), setting(6));
    assert_eq!((streams, window, head_size), (32, 128 * 1024, 16 * 1024));
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    /// The form has ten seconds to arrive. A shutdown whose grace period is shorter does not wait for that: it says so.
    #[test]
    fn a_form_that_is_sent_by_half_holds_a_shutdown_no_longer_than_its_grace_period() {
        let mut served = Served::start_with_log("warn", &["--shutdown-grace", "100ms"]);
        let mut stream = connect(&served);
        let head = "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(status(&mut stream), 100);
        stream.write_all(b"form_token=").unwrap();
        served.signal(Signal::SIGTERM);
        served.wait();
        assert!(served.log().contains("some requests did not finish within 100ms"), "{}", served.log());
    }

    /// An array of zeros takes twenty times its text when it is parsed.
    #[test]
    fn metadata_that_grows_when_it_is_parsed_is_not_parsed_all_at_once() {
        let served = Served::start(&[]);
        let token = served.token("ann");
        let zeros = "0,".repeat(MIB / 2 - 200);
        let metadata = format!("{{\"name\":\"foo\",\"vers\":\"1.0.0\",\"x\":[{zeros}0]}}");
        let body = crate::support::package::frame(metadata.as_bytes(), b"x");
        reset_peak(&served);
        let mut parked: Vec<_> = (0..40).map(|_| park(&served, &token, &body)).collect();
        for stream in &mut parked {
            stream.write_all(&body[body.len() - 1..]).unwrap();
        }
        for stream in &mut parked {
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            assert_eq!(status(stream), 400);
        }
        let peak = memory(&served, "VmHWM");
        assert!(peak < 400 * MIB, "{} MiB", peak / MIB);
    }
}
