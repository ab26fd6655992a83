//! `supercargo publisher`, as an operator runs it beside a server.

use serde_json::{Value, json};

use crate::support::http;
use crate::support::issuer::Issuer;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

fn refused(served: &Served, subcommand: &str, arguments: &[&str], code: i32) -> String {
    failed(served.command(subcommand).args(arguments).output().unwrap(), code)
}

#[test]
fn an_operator_adds_lists_and_removes_issuers_and_publishers() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let issuers = served.run("publisher issuer list", &[]);
    for url in ["https://token.actions.githubusercontent.com", "https://gitlab.com"] {
        assert!(issuers.contains(url), "{issuers}");
    }
    let issuer = Issuer::new("/api/actions");
    let said = served.run("publisher issuer add", &["forgejo", &issuer.url]);
    assert!(said.contains("are accepted, as those of Forgejo Actions"), "{said}");
    let again = refused(&served, "publisher issuer add", &["forgejo", &issuer.url], 1);
    assert!(again.contains("are accepted already"), "{again}");
    let plain = refused(&served, "publisher issuer add", &["gitlab", "http://gitlab.example.com"], 1);
    assert!(plain.contains("give a URL with https"), "{plain}");
    let identity = ["forgejo", "https://forgejo.example.com/api/actions", "--identity-claim", "x"];
    assert!(refused(&served, "publisher issuer add", &identity, 1).contains("leave --identity-claim out"));
    served.run(
        "publisher issuer add",
        &["oidc", "https://agent.buildkite.example.com", "--identity-claim", "pipeline_id"],
    );
    assert!(served.run("publisher issuer list", &["--json"]).contains("\"identity_claim\": \"pipeline_id\""));
    let unknown = refused(&served, "publisher issuer add", &["gitea", "https://gitea.example.com"], 1);
    assert!(unknown.contains("use one of github, gitlab, forgejo, oidc"), "{unknown}");

    let said = served
        .run("publisher add", &["foo", "--forgejo", "acme/widgets", "--workflow", "release.yml", "--owner-id", "42"]);
    let expected = format!("release.yml in acme/widgets of {} may publish foo", issuer.url);
    assert!(said.contains(&expected), "{said}");
    // Without a network nothing is asked of GitLab.
    let said = served.run(
        "publisher add",
        &["foo", "--gitlab", "acme/tools/widgets", "--workflow", ".gitlab-ci.yml", "--stage-only"],
    );
    assert!(said.contains("may stage foo; the number of its owner is that of the first ID token"), "{said}");
    for (arguments, code, expected) in [
        (&["foo", "--workflow", "release.yml"][..], 2, "--github"),
        (&["foo", "--forgejo", "acme/widgets"], 1, "needs a workflow"),
        (&["foo", "--forgejo", "acme/x", "--workflow", "release.yml", "--environment", "x"], 1, "name no environment"),
        (&["foo-*", "--forgejo", "acme/widgets", "--workflow", "release.yml"], 1, "name the user with --owner"),
        (&["foo", "--forgejo", "acme/widgets", "--workflow", "release.yml", "--owner", "ann"], 1, "leave --owner out"),
        (&["foo-*", "--forgejo", "acme/widgets", "--workflow", "release.yml", "--owner", "eve"], 1, "no user \"eve\""),
        (&["nosuch", "--forgejo", "acme/widgets", "--workflow", "release.yml"], 1, "no crate `nosuch`"),
        (&["foo", "--oidc", "cluster", "--claim", "sub"], 2, "give CLAIM=VALUE"),
        (&["foo", "--oidc", "cluster", "--claim", "sub=x", "--claim", "sub=y"], 1, "is given twice"),
    ] {
        let error = refused(&served, "publisher add", arguments, code);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let list = served.run("publisher list", &["foo"]);
    assert!(list.lines().count() == 3 && list.contains(" publish ") && list.contains(" operator"), "{list}");
    let json: Value = serde_json::from_str(&served.run("publisher list", &["--json"])).unwrap();
    assert_eq!((&json[0]["rule"]["owner_id"], &json[1]["stage_only"]), (&json!("42"), &json!(true)), "{json}");

    assert_eq!(served.run("publisher require", &["foo"]).trim(), "only trusted publishers may publish foo");
    let answer = http::publish(&served.url, &token, &Package::new("foo", "1.1.0"));
    assert!(answer.text().contains("only trusted publishers may publish the crate `foo`"), "{}", answer.text());
    served.run("publisher require", &["foo", "--off"]);
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();

    let number = json[1]["id"].to_string();
    assert!(served.run("publisher remove", &[&number]).contains("may not publish foo"));
    assert!(refused(&served, "publisher remove", &[&number], 1).contains("no trusted publisher"));
    let said = served.run("publisher issuer remove", &[&issuer.url]);
    assert!(said.contains("removed 1 trusted publisher"), "{said}");
    assert!(refused(&served, "publisher issuer remove", &[&issuer.url], 1).contains("is not an issuer"));
    let log = served.run("admin audit", &["--json"]);
    for action in [
        "issuer-add",
        "issuer-remove",
        "publisher-add",
        "publisher-remove",
        "publishing-restrict",
        "publishing-unrestrict",
    ] {
        assert!(log.contains(action), "{action}: {log}");
    }
}
