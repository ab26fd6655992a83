//! The log: who was refused and why, and who changed what.

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn as_client(served: &Served, client: &str, path: &str, token: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.get(format!("{}{path}", served.url)).header("x-forwarded-for", client);
    request.header("authorization", token).call().unwrap().status().as_u16()
}

/// The lines of the log with this message.
fn lines(served: &Served, message: &str) -> Vec<String> {
    served.log().lines().filter(|line| line.contains(message)).map(str::to_owned).collect()
}

/// The only line with this message, without its time and the id of its request.
fn line(served: &Served, message: &str) -> String {
    let found = lines(served, message);
    let [line] = &found[..] else { panic!("{message}: {found:#?}") };
    let (before, rest) = line.split_once("request{id=\"").unwrap();
    let (id, rest) = rest.split_once('"').unwrap();
    assert_eq!(id.len(), 16, "{line}");
    format!("{} request{{{}", before.split_whitespace().nth(1).unwrap(), rest.trim_start())
}

#[test]
fn a_refused_token_is_a_line_with_the_reason_and_whose_it_is_but_not_the_token() {
    let served = Served::start_with_log("info", &["--no-worker", "--trusted-proxies", "127.0.0.1"]);
    let tokens = ["ann", "bob", "cat"].map(|login| served.token(login));
    let sql = "UPDATE api_tokens SET revoked_at = now() WHERE id = 1;
               UPDATE api_tokens SET expires_at = '2020-01-01' WHERE id = 2;
               UPDATE users SET disabled_at = now() WHERE login = 'cat'";
    served.database.connect().batch_execute(sql).unwrap();
    let unknown = "sct_0123456789abcdef";
    let all = tokens.iter().map(String::as_str).chain([unknown]);
    for (number, token) in all.clone().enumerate() {
        assert_eq!(as_client(&served, &format!("192.0.2.{number}"), "/api/v1/me", token), 403);
    }
    let refused = lines(&served, "refused a token");
    let told: Vec<&str> = refused.iter().map(|line| line.split_once(" client=").unwrap().1).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    192.0.2.0 method=GET path="/api/v1/me" route="/api/v1/me"}: refused a token reason="revoked" user="ann" token="default" token_id=1
    192.0.2.1 method=GET path="/api/v1/me" route="/api/v1/me"}: refused a token reason="expired" user="bob" token="default" token_id=2
    192.0.2.2 method=GET path="/api/v1/me" route="/api/v1/me"}: refused a token reason="user disabled" user="cat" token="default" token_id=3
    192.0.2.3 method=GET path="/api/v1/me" route="/api/v1/me"}: refused a token reason="unknown" token_sha256="d41fdc87"
    "#);
    assert!(all.clone().all(|token| !served.log().contains(&token[4..])), "{}", served.log());
}

#[test]
fn a_refused_request_is_a_line_with_its_user_and_the_reason() {
    let served = Served::start_with_log("info", &[]);
    let (ann, bob) = (served.token("ann"), served.token("bob"));
    http::publish(&served.url, &ann, &Package::new("foo", "1.0.0")).good();
    let yank = format!("{}/api/v1/crates/foo/1.0.0/yank", served.url);
    assert_eq!(http::delete_as(&yank, &bob).status, 403);
    insta::assert_snapshot!(line(&served, "refused a request"), @r#"INFO request{client=127.0.0.1 method=DELETE path="/api/v1/crates/foo/1.0.0/yank" route="/api/v1/crates/{crate}/{version}/yank" user="bob" token="default" token_id=2}: refused a request status=403 reason="`bob` is not an owner of the crate `foo`: ask one of its owners (ann) to add you""#);
    assert_eq!(http::get(&format!("{}/api/v1/me", served.url)).status, 401);
    let anonymous = lines(&served, "status=401");
    assert!(anonymous[0].contains("reason=\"the request has no token: run `cargo login` with one."), "{anonymous:?}");
}

#[test]
fn a_client_cannot_flood_the_log() {
    let served = Served::start_with_log("info", &["--no-worker", "--trusted-proxies", "127.0.0.1"]);
    for _ in 0..200 {
        assert_eq!(as_client(&served, "192.0.2.1", "/api/v1/me", "sct_wrong"), 403);
    }
    assert_eq!(as_client(&served, "192.0.2.2", "/api/v1/me", "sct_wrong"), 403);
    let refused = lines(&served, "refused a token");
    assert_eq!(refused.len(), 11);
    assert!(refused[10].contains("client=192.0.2.2") && refused[10].ends_with(" omitted=190"), "{}", refused[10]);
}

#[test]
fn texts_of_clients_cannot_forge_a_line_or_reach_a_terminal() {
    for format in ["text", "json"] {
        let arguments = ["--no-worker", "--log-format", format];
        let served = Served::start_with_log("info", &arguments);
        let token = served.token("ann");
        // A name that was stored before such names were refused.
        let name = "UPDATE api_tokens SET name = E'a\\u001b[2J\\nINFO forged\\u202e', revoked_at = now()";
        served.database.connect().batch_execute(name).unwrap();
        assert_eq!(as_client(&served, "192.0.2.3", "/api/v1/me/tokens/%1b%5b2J%0AINFO%20forged", &token), 403);
        let log = served.log();
        assert!(!log.contains(['\u{1b}', '\u{202e}']) && !log.contains("\nINFO forged"), "{log}");
        assert!(log.lines().any(|line| line.contains("refused a token") && line.contains("[2J")), "{log}");
    }
}

#[test]
fn a_private_registry_does_not_log_that_it_asks_for_a_token() {
    let served = Served::start_with_log("info", &["--auth-required", "--no-worker"]);
    let config = format!("{}/index/config.json", served.url);
    assert_eq!(http::get(&config).status, 401);
    assert_eq!(http::get_as(&config, "sct_wrong").status, 401);
    assert_eq!(lines(&served, "request{").len(), 1, "{}", served.log());
    assert_eq!(lines(&served, "refused a token reason=\"unknown\"").len(), 1, "{}", served.log());
}

#[test]
fn every_change_through_the_api_is_a_line_with_who_made_it() {
    let served = Served::start_with_log("info", &["--log-format", "json"]);
    let token = served.token("ann");
    served.run("admin user promote", &["ann"]);
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let version = format!("{}/api/v1/crates/foo/1.0.0", served.url);
    http::delete_as(&format!("{version}/yank"), &token).good();
    http::put_as(&format!("{version}/unyank"), &token).good();
    served.run("admin user create", &["bob"]);
    let owners = format!("{}/api/v1/crates/foo/owners", served.url);
    http::put_json_as(&owners, &token, &json!({ "users": ["bob"] })).good();
    http::delete_as(&format!("{version}?reason=a%20test"), &token).good();
    let tokens = format!("{}/api/v1/me/tokens", served.url);
    let made = http::put_json_as(&tokens, &token, &json!({ "api_token": { "name": "ci" } })).good().json();
    http::delete_as(&format!("{tokens}/{}", made["api_token"]["id"]), &token).good();
    let log = served.log();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_requests = events.iter().filter(|event| event["span"]["name"] == "request");
    let told = of_requests.map(|event| {
        let span = &event["span"];
        assert_eq!((&span["user"], &span["token"], &span["token_id"]), (&json!("ann"), &json!("default"), &json!(1)));
        assert_eq!((span["id"].as_str().map(str::len), &span["client"]), (Some(16), &json!("127.0.0.1")), "{event}");
        format!("{} {}", event["level"].as_str().unwrap(), event["fields"])
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    INFO {"message":"accepted a publish","crate":"foo","version":"1.0.0"}
    INFO {"message":"yanked a version","crate":"foo","version":"1.0.0"}
    INFO {"message":"unyanked a version","crate":"foo","version":"1.0.0"}
    INFO {"message":"changed owners","crate":"foo","done":"bob is now an owner of foo"}
    WARN {"message":"deleted a version","crate":"foo","version":"1.0.0","reason":"a test"}
    INFO {"message":"created a token","new_token":"ci","new_token_id":2}
    INFO {"message":"revoked tokens","revoked":"2"}
    "#);
    assert!(!log.contains(made["api_token"]["token"].as_str().unwrap()));
}
