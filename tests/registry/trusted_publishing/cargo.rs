//! A run of a workflow, as it goes: the requests of the official action, and the real cargo between them.

use serde_json::{Value, json};

use super::TOKENS;
use crate::support::cargo::Cargo;
use crate::support::http;
use crate::support::issuer::Issuer;
use crate::support::process::Served;

/// The first step of rust-lang/crates-io-auth-action, whose input `url` may end in a slash: its audience is the URL without
/// scheme, and a refusal is read from `errors[].detail`.
fn auth_action(url: &str, sign: impl FnOnce(&str) -> String) -> Result<String, String> {
    let registry = url.strip_suffix('/').unwrap_or(url);
    let audience = registry.trim_start_matches("https://").trim_start_matches("http://");
    let body = json!({ "jwt": sign(audience) }).to_string();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent
        .post(format!("{registry}{TOKENS}"))
        .header("content-type", "application/json")
        .header("user-agent", "crates-io-auth-action/v1.0.1 (https://github.com/rust-lang/crates-io-auth-action)")
        .send(body)
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    if answer.status() == 200 {
        return Ok(json["token"].as_str().unwrap().to_owned());
    }
    Err(json["errors"][0]["detail"].as_str().unwrap().to_owned())
}

/// Its last step.
fn revoke(url: &str, token: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.delete(format!("{url}{TOKENS}")).header("authorization", format!("Bearer {token}"));
    request.call().unwrap().status().as_u16()
}

fn accepting(served: &Served) -> Issuer {
    let issuer = Issuer::new("/_services/token");
    issuer.put("/api/v3/users/acme", json!({ "id": 42 }));
    served.run("publisher issuer add", &["github", &issuer.url]);
    issuer
}

#[test]
fn a_workflow_publishes_a_workspace_of_new_crates_without_a_secret() {
    let served = Served::start_with_log("info", &["--auth-required"]);
    let issuer = accepting(&served);
    let ann = served.token("ann");
    let trusted =
        ["acme-*", "--github", "acme/widgets", "--workflow", "release.yml", "--issuer", &issuer.url, "--owner", "ann"];
    let said = served.run("publisher add", &trusted);
    assert!(said.starts_with("trusted publisher 1: release.yml in acme/widgets of http://127.0.0.1:"), "{said}");
    assert!(said.contains("may publish acme-*, and new crates, which ann will own"), "{said}");
    let other = issuer.of_github("x")["repository"].as_str().unwrap().replace("widgets", "gadgets");
    let refused = auth_action(&served.url, |audience| {
        let mut claims = issuer.of_github(audience);
        claims["repository"] = other.clone().into();
        issuer.key.sign(&claims)
    });
    assert!(refused.unwrap_err().contains("no trusted publisher is configured for the repository `acme/gadgets`"));

    let url = format!("{}/", served.url);
    let token = auth_action(&url, |audience| issuer.key.sign(&issuer.of_github(audience))).unwrap();
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &token);
    cargo.write("ws/Cargo.toml", "[workspace]\nmembers = [\"acme-core\", \"acme-tool\"]\nresolver = \"3\"\n");
    let manifest = |name: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\ndescription = \"x\"\nlicense = \"MIT\"\n"
        )
    };
    let needs = "[dependencies]\nacme-core = { path = \"../acme-core\", version = \"1\", registry = \"supercargo\" }\n";
    cargo.write("ws/acme-core/Cargo.toml", &manifest("acme-core"));
    cargo.write("ws/acme-core/src/lib.rs", "pub fn one() -> u32 { 1 }");
    cargo.write("ws/acme-tool/Cargo.toml", &(manifest("acme-tool") + needs));
    cargo.write("ws/acme-tool/src/lib.rs", "pub fn two() -> u32 { acme_core::one() + 1 }");
    let published = cargo.good("ws", &["publish", "--workspace", "--registry", "supercargo", "--allow-dirty"]);
    assert!(published.contains("Published acme-core v1.0.0") && published.contains("acme-tool v1.0.0"), "{published}");
    assert_eq!(revoke(&served.url, &token), 204);
    let late = cargo.bad("ws/acme-core", &["yank", "--registry", "supercargo", "--version", "1.0.0"]);
    assert!(late.contains("revoked"), "{late}");

    for name in ["acme-core", "acme-tool"] {
        let shown = http::get_as(&format!("{}/api/v1/crates/{name}/1.0.0", served.url), &ann).json();
        assert_eq!(shown["version"]["provenance"]["run_id"], "1234567", "{shown}");
        let owners = http::get_as(&format!("{}/api/v1/crates/{name}/owners", served.url), &ann).json();
        assert_eq!(owners["users"][0]["login"], "ann", "{owners}");
    }
    let verified = served.command("verify").output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let log = served.log();
    assert!(log.contains("exchanged an ID token") && !log.contains(&token) && !log.contains("eyJ"), "{log}");
}

#[test]
fn the_audience_has_port_and_path_of_the_public_url() {
    let served = Served::start(&["--public-url", "https://crates.example.test:8443/rust"]);
    let issuer = accepting(&served);
    let ann = served.token("ann");
    let url = format!("http://{}/rust", served.address());
    http::publish(&url, &ann, &crate::support::package::Package::new("foo", "1.0.0")).good();
    served.run(
        "publisher add",
        &["foo", "--github", "acme/widgets", "--workflow", "release.yml", "--issuer", &issuer.url],
    );
    let asked = |audience: &str| auth_action(&url, |_| issuer.key.sign(&issuer.of_github(audience)));
    let refused = asked("crates.example.test").unwrap_err();
    assert!(refused.contains("request it with the audience `crates.example.test:8443/rust`"), "{refused}");
    asked("crates.example.test:8443/rust").unwrap();
}
