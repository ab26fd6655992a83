//! HTTPS, served by the registry itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Output;

use nix::sys::signal::Signal;
use tokio_rustls::rustls::version;

use crate::support::cargo::{Cargo, said, toolchains};
use crate::support::event::wait_until;
use crate::support::process::{Served, failed, supercargo};
use crate::support::tls::{Authority, BOTH, cainfo};

fn serve(authority: &Authority) -> Served {
    let arguments = authority.arguments();
    Served::start(&arguments.each_ref().map(String::as_str))
}

// protocol: 21
#[test]
fn a_client_that_offers_http_2_gets_it_and_others_get_http_1() {
    let authority = Authority::new();
    let served = serve(&authority);
    assert!(served.url.starts_with("https://127.0.0.1:"), "{}", served.url);
    let address = served.address();
    for versions in [BOTH, &[&version::TLS12], &[&version::TLS13]] {
        let mut plain = authority.connect(&address, &["http/1.1"], versions);
        assert_eq!(plain.protocol(), Some("http/1.1"));
        assert!(plain.get("/index/config.json").starts_with("HTTP/1.1 200 OK\r\n"));
        let mut silent = authority.connect(&address, &[], versions);
        assert_eq!(silent.protocol(), None);
        assert!(silent.get("/index/config.json").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let mut http2 = authority.connect(&address, &["h2", "http/1.1"], BOTH);
    assert_eq!(http2.protocol(), Some("h2"));
    http2.0.write_all(&http2_request(&address, &["/index/config.json", "/index/3/n/non"])).unwrap();
    // As HPACK has them in its static table: 200 and 404.
    let mut statuses = [read_status(&mut http2.0), read_status(&mut http2.0)];
    statuses.sort_unstable();
    assert_eq!(statuses, [0x88, 0x8d]);
}

/// What a client of HTTP/2 sends first, and a request for each path on a stream of its own.
fn http2_request(authority: &str, paths: &[&str]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream];
        frame.extend_from_slice(payload);
        frame
    };
    bytes.extend(frame(4, 0, 0, &[]));
    for (stream, path) in (1_u8..).step_by(2).zip(paths) {
        // GET, https, and two literals.
        let mut head = vec![0x82, 0x87];
        for (name, value) in [(4, path), (1, &authority)] {
            head.extend([name, u8::try_from(value.len()).unwrap()]);
            head.extend_from_slice(value.as_bytes());
        }
        // Its headers end here, and so does it.
        bytes.extend(frame(1, 5, stream, &head));
    }
    bytes
}

/// The first byte of the next frame with headers.
fn read_status(stream: &mut impl Read) -> u8 {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        if head[3] == 1 {
            return payload[0];
        }
    }
}

#[test]
fn a_renewed_certificate_is_taken_on_sighup_and_connections_go_on() {
    let authority = Authority::new();
    let mut served = serve(&authority);
    let address = served.address();
    let mut before = authority.connect(&address, &[], BOTH);
    let former = before.certificate();
    let renewed = authority.issue();
    assert_eq!(authority.connect(&address, &[], BOTH).certificate(), former);
    served.signal(Signal::SIGHUP);
    wait_until("the new certificate", || authority.connect(&address, &[], BOTH).certificate() == renewed);
    assert!(before.get("/index/config.json").starts_with("HTTP/1.1 200 OK\r\n"));
    drop(before);
    served.stop();
}

#[test]
fn who_speaks_http_to_the_port_of_https_is_told_the_right_address() {
    let authority = Authority::new();
    let served = serve(&authority);
    let mut stream = TcpStream::connect(served.address()).unwrap();
    stream.write_all(b"GET /index/config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    let detail = format!(
        "{{\"errors\":[{{\"detail\":\"this port serves HTTPS, not HTTP: the registry is at {}\"}}]}}",
        served.url
    );
    assert!(answer.ends_with(&detail), "{answer}");
}

#[test]
fn a_handshake_that_does_not_go_on_keeps_nobody_waiting() {
    let authority = Authority::new();
    let served = serve(&authority);
    let address = served.address();
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for mut stream in &silent[..10] {
        // The beginning of a hello.
        stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    }
    assert!(authority.connect(&address, &[], BOTH).get("/index/config.json").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_with_the_file_and_what_to_do() {
    let authority = Authority::new();
    let place = authority.path("");
    let data_dir = authority.path("data");
    let refusal = |certificate: &str, key: &str| {
        let mut command = supercargo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data-dir"]).arg(&data_dir);
        command.arg("--tls-cert").arg(authority.path(certificate)).arg("--tls-key").arg(authority.path(key));
        let output: Output = command.output().unwrap();
        failed(output, 1).replace(place.to_str().unwrap(), "DIR/")
    };
    authority.write("empty.pem", "");
    authority.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    authority.write("odd.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    authority.write("oddkey.pem", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    insta::assert_snapshot!(refusal("none.pem", "key.pem"), @"supercargo: cannot read DIR/none.pem (--tls-cert): No such file or directory (os error 2)");
    insta::assert_snapshot!(refusal("cert.pem", "none.pem"), @"supercargo: cannot read DIR/none.pem (--tls-key): No such file or directory (os error 2)");
    insta::assert_snapshot!(refusal("", "key.pem"), @"supercargo: cannot read DIR/ (--tls-cert): Is a directory (os error 21)");
    insta::assert_snapshot!(refusal("empty.pem", "key.pem"), @"supercargo: there is no certificate in DIR/empty.pem (--tls-cert): PEM is required, which begins with -----BEGIN");
    insta::assert_snapshot!(refusal("key.pem", "key.pem"), @"supercargo: there is no certificate in DIR/key.pem (--tls-cert): PEM is required, which begins with -----BEGIN");
    insta::assert_snapshot!(refusal("cert.pem", "cert.pem"), @"supercargo: there is no private key in DIR/cert.pem (--tls-key): PEM is required, which begins with -----BEGIN");
    insta::assert_snapshot!(refusal("torn.pem", "key.pem"), @"supercargo: DIR/torn.pem (--tls-cert) is not a complete PEM file: it is truncated or damaged");
    insta::assert_snapshot!(refusal("odd.pem", "key.pem"), @"supercargo: the first certificate in DIR/odd.pem (--tls-cert) is not an X.509 certificate");
    insta::assert_snapshot!(refusal("cert.pem", "oddkey.pem"), @"supercargo: cannot use the private key in DIR/oddkey.pem (--tls-key); supported are ECDSA, Ed25519 and RSA keys: unexpected error: failed to parse private key as RSA, ECDSA, or EdDSA");
    insta::assert_snapshot!(refusal("authority.pem", "key.pem"), @"supercargo: the private key in DIR/key.pem (--tls-key) does not match the first certificate in DIR/authority.pem (--tls-cert): put the registry's own certificate first, then its chain");
    assert!(!data_dir.exists(), "nothing is made before it is known to be usable");
    for half in ["--tls-cert", "--tls-key"] {
        let said = failed(supercargo().args(["serve", half, "x"]).output().unwrap(), 2);
        assert!(said.contains("required"), "{said}");
    }
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn cargo_publishes_and_builds_over_https_with_an_authority_of_its_own() {
        let authority = Authority::new();
        let served = serve(&authority);
        let trust = cainfo(&authority.certificate());
        let sparse = format!("sparse+{}/index/", served.url);
        let token = served.token("ann");
        for (number, toolchain) in toolchains().into_iter().enumerate() {
            let with = |index: &str| {
                let cargo = Cargo::new(index, &token);
                match &toolchain {
                    Some(name) => cargo.toolchain(name),
                    None => cargo,
                }
            };
            let cargo = with(&sparse);
            let version = format!("1.{number}.0");
            cargo.library("foo", &version, "", "pub const N: u32 = 7;\n");
            let publish = ["--config", &trust, "publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"];
            cargo.good("foo", &publish);
            let ways = [
                (&sparse, "false"),
                (&format!("{}/git/index", served.url), "false"),
                (&format!("{}/git/index", served.url), "true"),
            ];
            for (index, with_cli) in ways {
                let cargo = with(index);
                let manifest =
                    format!("[dependencies]\nfoo = {{ version = \"={version}\", registry = \"supercargo\" }}\n");
                cargo.binary("user", &manifest, "fn main() { println!(\"n={}\", foo::N); }\n");
                let fetch = format!("net.git-fetch-with-cli={with_cli}");
                let mut command = cargo.command("user", &["--config", &trust, "--config", &fetch, "run", "-q"]);
                let output = command.env("GIT_SSL_CAINFO", authority.certificate()).output().unwrap();
                assert!(said(&output).contains("n=7"), "{toolchain:?} {index} {with_cli}: {}", said(&output));
            }
        }
        let stranger = Cargo::new(&sparse, "");
        stranger.binary(
            "user",
            "[dependencies]\nfoo = { version = \"1\", registry = \"supercargo\" }\n",
            "fn main() {}\n",
        );
        let refused = stranger.bad("user", &["--config", "net.retry=0", "fetch"]);
        assert!(refused.contains("certificate"), "{refused}");
    }
}

#[test]
fn crates_are_imported_from_a_registry_behind_https() {
    let authority = Authority::new();
    let other = serve(&authority);
    let served = Served::start(&[]);
    let _ann = served.token("ann");
    let index = format!("sparse+{}/index/", other.url);
    let mut command = served.command("admin import");
    command.args([&index, "--owner", "ann", "absent"]).env("SSL_CERT_FILE", authority.certificate());
    let output = command.output().unwrap();
    // The other registry answers that it has no such crate.
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(listed.contains("absent"), "{listed}");
    assert!(failed(output, 1).contains("1 crates or versions were not imported"));
}
