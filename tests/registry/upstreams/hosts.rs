//! What leaves for which host: tokens, and redirects.

use std::os::unix::fs::PermissionsExt;

use super::{FOO, NEVER_FRESH, OLD, asked_again, download, index, refused};
use crate::support::faulty_upstream::{Behaviour, FaultyUpstream};
use crate::support::nginx::{Nginx, Port};
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::tls::Authority;

/// A registry with a token for its upstream `other`.
fn with_token(upstream: &FaultyUpstream, directory: &tempfile::TempDir) -> Served {
    let file = directory.path().join("token");
    std::fs::write(&file, "secret-of-the-upstream\n").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let token = format!("other={}", file.display());
    super::served(upstream, &[&["--upstream-token-file", &token][..], &NEVER_FRESH].concat())
}

#[test]
fn the_token_of_an_upstream_is_sent_with_every_request_to_it() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    upstream.require_a_token();
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    let served = with_token(&upstream, &directory);
    download(&served, "foo", "1.0.0").good();
    for path in [FOO, "/index/config.json", "/dl/foo/1.0.0"] {
        let requests = upstream.requests(path);
        assert_eq!(requests.len(), 1, "{path}");
        assert_eq!(requests[0].find("authorization"), Some("secret-of-the-upstream"), "{path}");
    }
    // A redirect to the same host and port keeps it.
    upstream.add(&Package::new("bar", "1.0.0"), OLD);
    upstream.set("/index/3/b/baz", Behaviour::redirect("/index/3/b/bar"));
    index(&served, "3/b/baz");
    assert_eq!(upstream.requests("/index/3/b/bar")[0].find("authorization"), Some("secret-of-the-upstream"));
}

/// As cargo does it: the host of `dl` may be another one.
#[test]
fn downloads_that_need_no_token_get_none() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    upstream.add(&Package::new("foo", "1.0.0"), OLD);
    let served = with_token(&upstream, &directory);
    download(&served, "foo", "1.0.0").good();
    assert_eq!(upstream.requests(FOO)[0].find("authorization"), Some("secret-of-the-upstream"));
    assert_eq!(upstream.requests("/dl/foo/1.0.0")[0].find("authorization"), None);
}

#[test]
fn the_token_of_an_upstream_is_not_sent_to_the_host_of_a_redirect() {
    let (upstream, elsewhere) = (FaultyUpstream::start(), FaultyUpstream::start());
    let directory = tempfile::tempdir().unwrap();
    upstream.require_a_token();
    let served = with_token(&upstream, &directory);
    for (number, base) in [elsewhere.url.clone(), format!("http://localhost:{}", elsewhere.port())].iter().enumerate() {
        let package = Package::new(&format!("foo{number}"), "1.0.0");
        let (path, file) = (format!("fo/o{number}/foo{number}"), format!("/dl/foo{number}/1.0.0"));
        upstream.add(&package, OLD);
        elsewhere.add(&package, OLD);
        for redirected in [&file, &format!("/index/{path}")] {
            upstream.set(redirected, Behaviour::redirect(&format!("{base}{redirected}")));
        }
        assert_eq!(download(&served, &package.name, "1.0.0").good().body, package.crate_file());
        for path in [&file, &format!("/index/{path}")] {
            assert_eq!(upstream.requests(path)[0].find("authorization"), Some("secret-of-the-upstream"));
            let there = elsewhere.requests(path);
            assert_eq!(there.len(), 1, "{path}");
            assert!(!format!("{there:?}").contains("secret"), "{there:?}");
            assert_eq!(there[0].find("referer"), None);
        }
    }
}

#[test]
fn the_token_of_an_upstream_does_not_leave_the_machine_unencrypted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "secret-of-the-upstream").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let token = format!("other={}", file.display());
    let upstream = "other=sparse+http://crates.example/index/";
    let said = refused(&["--upstream", upstream, "--upstream-token-file", &token]);
    assert!(said.contains("the token is not sent to http://crates.example/index/"), "{said}");
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let (plain, authority, port) = (FaultyUpstream::start(), Authority::new(), Port::free());
    plain.add(&Package::new("foo", "1.0.0"), OLD);
    let secure = format!(
        "server {{ listen 127.0.0.1:{} ssl; ssl_certificate {}; ssl_certificate_key {};\n\
         location /plain/ {{ return 302 {}$request_uri; }}\n\
         location / {{ proxy_pass {}; }} }}",
        port.number,
        authority.path("cert.pem").display(),
        authority.path("key.pem").display(),
        plain.url,
        plain.url
    );
    let _nginx = Nginx::start(&port, &secure);
    let mut served = Served::stopped();
    let base = format!("https://127.0.0.1:{}", port.number);
    let [other, redirected] =
        [("other", "index"), ("redirected", "plain")].map(|(name, path)| format!("{name}=sparse+{base}/{path}/"));
    served.set_arguments(&["--upstream", &other, "--upstream", &redirected]);
    served.trust(&authority.certificate());
    served.start_again();
    index(&served, "3/f/foo").good();
    let refused = crate::support::http::get(&format!("{}/upstream/redirected/index/3/f/foo", served.url));
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("it redirects from https to http"), "{}", refused.text());
    assert_eq!(plain.count("/plain/3/f/foo"), 0);
}

#[test]
fn a_redirect_is_followed_to_its_end() {
    let (upstream, served) = super::through(&NEVER_FRESH);
    let body = index(&served, "3/f/foo").good().body;
    upstream.set("/one", Behaviour::redirect("/two"));
    upstream.set("/two", Behaviour::file(body.clone()));
    upstream.set(FOO, Behaviour::redirect("/one"));
    let reply = asked_again(&upstream, &served, "3/f/foo", |_| {});
    assert_eq!(reply.good().body, body);
    assert_eq!((upstream.count("/one"), upstream.count("/two")), (1, 1));
}
