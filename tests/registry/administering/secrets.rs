//! No secret is in the log, whatever its level.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

const OF_THE_UPSTREAM: &str = "secret-of-the-upstream";

#[test]
fn tokens_and_sign_in_links_are_not_in_the_log() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    upstream.require_a_token();
    upstream.add(&Package::new("foo", "1.0.0"), "2024-01-01T00:00:00Z");
    let file = directory.path().join("token");
    std::fs::write(&file, OF_THE_UPSTREAM).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let (named, token) = (format!("other={}", upstream.sparse()), format!("other={}", file.display()));
    let served = Served::start_with_log("trace", &["--upstream", &named, "--upstream-token-file", &token]);
    http::get(&format!("{}/upstream/other/api/v1/crates/foo/1.0.0/download", served.url)).good();
    assert_eq!(upstream.requests("/dl/foo/1.0.0")[0].find("authorization"), Some(OF_THE_UPSTREAM));

    served.run("admin user create", &["root", "--admin"]);
    let root = served.run("admin token create", &["--user", "root", "--scope", "administer"]).trim().to_owned();
    let admin = |path: &str, body| {
        http::post_json_as(&format!("{}/api/v1/admin/{path}", served.url), &root, &body).good().json()
    };
    admin("users", json!({ "login": "ann" }));
    admin("users", json!({ "login": "ci", "role": "service" }));
    let link = admin("users/ann/sign-in-link", json!({}))["url"].as_str().unwrap().to_owned();
    let link = link.split_once("code=").unwrap().1.to_owned();
    let made = admin("users/ci/tokens", json!({ "api_token": { "name": "ci" } }))["api_token"]["token"].clone();
    let made = made.as_str().unwrap().to_owned();
    http::publish(&served.url, &made, &Package::new("bar", "1.0.0")).good();

    let log = served.log();
    assert!(log.contains("/api/v1/admin/users/ann/sign-in-link"), "the log has no requests: {log}");
    for secret in [OF_THE_UPSTREAM, &root, &link, &made] {
        assert!(secret.len() > 16, "{secret}");
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
