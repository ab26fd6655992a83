//! What was decided about crates of upstreams, and what an upstream never should do.

use axum::http::{Method, StatusCode};
use chrono::Utc;
use serde_json::{Value, json};
use supercargo::database::access::new_token::NewToken;

use crate::sign_in::{logged, place, send, set_password};
use crate::support::event::wait_until;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::other_registry::OtherRegistry;
use crate::support::package::Package;
use crate::support::process::Served;

const FRESH: &str = "--upstream-fresh=10ms";

/// An upstream with `foo` 1.0.0, which was published now.
fn other() -> OtherRegistry {
    let other = OtherRegistry::new();
    other.add(&Package::new("foo", "1.0.0"), |line| line["pubtime"] = json!(Utc::now().to_rfc3339()));
    other
}

fn served(other: &OtherRegistry, more: &[&str]) -> Served {
    let upstream = format!("acme={}", other.sparse());
    Served::start(&[&["--upstream", &upstream, FRESH][..], more].concat())
}

fn line(served: &Served) -> Value {
    http::index_lines(&format!("{}/upstream/acme", served.url), "3/f/foo")[0].clone()
}

fn download(served: &Served) -> http::Reply {
    http::get(&format!("{}/upstream/acme/api/v1/crates/foo/1.0.0/download", served.url))
}

fn shows_yanked(served: &Served, yanked: bool) {
    wait_until(&format!("yanked {yanked}"), || line(served)["yanked"] == yanked);
}

/// Asserts that a download is refused, and answers why.
fn refusal(served: &Served) -> String {
    let refused = download(served);
    assert_eq!(refused.status, 403, "{}", refused.text());
    refused.text()
}

#[test]
fn a_rule_counts_within_seconds_and_before_the_cooldown() {
    let served = served(&other(), &["--cooldown", "3days"]);
    shows_yanked(&served, true);
    assert!(
        refusal(&served)
            .contains("foo@1.0.0 is too young: this registry passes on versions of acme when they are 3 days old")
    );
    let said = served.run("upstream allow", &["acme", "Foo@1.0.0", "--reason", "mends a leak"]);
    assert_eq!(
        said,
        "Foo@1.0.0 of acme passes however young it is, within seconds, in every `serve` that has this upstream\n"
    );
    shows_yanked(&served, false);
    download(&served).good();
    // A rule about the crate counts for other versions alone.
    served.run("upstream block", &["acme", "foo", "--reason", "taken over"]);
    served.run("upstream block", &["acme", "foo@1.0.0", "--reason", "taken over by somebody"]);
    shows_yanked(&served, true);
    // Also if it is kept.
    assert_eq!(refusal(&served), "foo@1.0.0 of acme is blocked in this registry: taken over by somebody\n");
    let again = served.run("upstream block", &["acme", "foo@1.0.0", "--reason", "taken over by somebody"]);
    assert!(again.starts_with("nothing changed"), "{again}");
    let rules: Value = serde_json::from_str(&served.run("upstream rules", &["acme", "--json"])).unwrap();
    let of =
        |place: usize| [&rules[place]["version"], &rules[place]["decision"], &rules[place]["reason"]].map(Clone::clone);
    assert_eq!(of(0), [json!(null), json!("block"), json!("taken over")]);
    assert_eq!(of(1), [json!("1.0.0"), json!("block"), json!("taken over by somebody")]);
    served.run("upstream release", &["acme", "foo@1.0.0"]);
    served.run("upstream release", &["acme", "foo"]);
    wait_until("the kept file", || download(&served).status == 200);
    assert!(served.run("upstream rules", &[]).lines().count() == 1);
    let missing = served.command("upstream release").args(["acme", "foo"]).output().unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no rule about foo of acme"), "{missing:?}");
}

#[test]
fn what_is_on_hold_is_served_to_those_who_have_it() {
    let other = other();
    other.add(&Package::new("foo", "1.1.0"), |_| {});
    let served = served(&other, &[]);
    download(&served).good();
    let said = served.run("upstream hold", &["acme", "foo", "--reason", "under review"]);
    assert!(said.starts_with("foo of acme is shown as yanked and delivered only if it is kept"), "{said}");
    shows_yanked(&served, true);
    download(&served).good();
    let refused = http::get(&format!("{}/upstream/acme/api/v1/crates/foo/1.1.0/download", served.url));
    assert_eq!(
        (refused.status, &*refused.text()),
        (
            403,
            "foo@1.1.0 of acme is on hold in this registry: under review. Use another version, or ask the operator of this \
             registry\n"
        )
    );
    let audit = served.run("admin audit", &["--action", "upstream-hold"]);
    assert!(audit.contains("under review"), "{audit}");
    assert_eq!(served.run("upstream release", &["acme", "foo"]), "removed the rule that held foo of acme\n");
    shows_yanked(&served, false);
}

#[test]
fn a_rule_that_has_no_effect_or_exceptions_says_so() {
    let served = served(&other(), &[]);
    let said = |upstream: &str, about: &str, decision: &str| {
        let mut command = served.command(&format!("upstream {decision}"));
        let output = command.args([upstream, about, "--reason", "a test"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (_, warned) = said("acne", "foo", "block");
    assert!(warned.contains("the last `serve` had no upstream acne") && warned.contains("it has acme"), "{warned}");
    assert_eq!(said("acme", "foo@1.0.0", "allow").1, "");
    let (printed, warned) = said("acme", "foo", "block");
    assert!(printed.contains("except 1.0.0, for which the rule `allow` counts"), "{printed}");
    assert_eq!(warned, "");
}

#[test]
fn a_version_whose_checksum_changes_is_held_until_a_rule_allows_it() {
    let other = other();
    let served = served(&other, &[]);
    shows_yanked(&served, false);
    let first = line(&served)["cksum"].as_str().unwrap().to_owned();
    let changed = Package::new("foo", "1.0.0").described("Other bytes");
    let mut line = other.store(&changed, "");
    line["pubtime"] = json!(Utc::now().to_rfc3339());
    other.write("3/f/foo", &format!("{line}\n"));
    shows_yanked(&served, true);
    let why = refusal(&served);
    assert!(why.contains(&format!("acme has changed foo@1.0.0: its SHA-256 was {first}")), "{why}");
    wait_until("the entry", || served.run("admin audit", &["--action", "upstream-change"]).contains("acme"));
    let found = served.command("monitor").output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout);
    assert!(
        found.contains("CRITICAL") && found.contains("the upstream acme changed the checksum of foo@1.0.0"),
        "{found}"
    );
    served.run("upstream allow", &["acme", "foo@1.0.0", "--reason", "the upstream says why"]);
    shows_yanked(&served, false);
    assert_eq!(download(&served).good().body, changed.crate_file());
}

#[test]
fn a_file_that_is_not_the_one_of_the_index_is_an_alarm() {
    let other = other();
    let mut line = other.store(&Package::new("foo", "1.0.0"), "");
    line["cksum"] = json!("00".repeat(32));
    other.write("3/f/foo", &format!("{line}\n"));
    let served = served(&other, &[]);
    let refused = download(&served);
    assert_eq!(refused.status, 502, "{}", refused.text());
    assert!(refused.text().contains("the crate file is not the one of the index of acme"), "{}", refused.text());
    wait_until("the entry", || served.run("admin audit", &["--action", "upstream-mismatch"]).contains("acme"));
    let found = served.command("monitor").output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout);
    assert!(found.contains("the upstream acme sent a file of foo@1.0.0 that is not the one of its index"), "{found}");
}

#[test]
fn an_offline_registry_serves_what_it_keeps_and_asks_nothing() {
    let other = other();
    other.add(&Package::new("bar", "1.0.0"), |_| {});
    let mut served = served(&other, &[]);
    download(&served).good();
    served.stop();
    let upstream = format!("acme={}", other.sparse());
    served.set_arguments(&["--upstream", &upstream, FRESH, "--upstream-offline"]);
    served.start_again();
    other.write("3/f/foo", "");
    download(&served).good();
    let absent = http::get(&format!("{}/upstream/acme/index/3/b/bar", served.url));
    assert_eq!(absent.status, 503, "{}", absent.text());
    assert!(absent.text().contains("this registry is offline (--upstream-offline)"), "{}", absent.text());
}

#[test]
fn rules_are_made_and_removed_by_the_api() {
    let registry = TestRegistry::with_upstream();
    let unrestricted = registry.admin("root");
    let scopes = Some(vec!["administer".parse().unwrap()]);
    let root = registry.user_with("root", NewToken { scopes, ..NewToken::named("rules") });
    let path = "/api/v1/admin/upstream-rules";
    let put = |body: &Value| root.request(Method::PUT, path, body.to_string());
    let rule = json!({ "upstream": "acme", "crate": "Foo-Bar", "version": "1.0.0", "decision": "block", "reason": "taken over" });
    let refused = unrestricted.request(Method::PUT, path, rule.to_string());
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert_eq!(put(&rule).good().json(), json!({ "changed": true }));
    assert_eq!(put(&rule).good().json(), json!({ "changed": false }));
    let listed = unrestricted.get(&format!("{path}?upstream=acme")).good().json();
    let one = &listed["rules"][0];
    assert_eq!((&one["crate"], &one["by"], &one["decision"]), (&json!("Foo-Bar"), &json!("root"), &json!("block")));
    for (field, value) in [
        ("upstream", json!("other")),
        ("crate", json!("")),
        // Of several crates there is no one version.
        ("crate", json!("foo-*")),
        ("crate", json!("foo-*bar")),
        ("version", json!("1")),
        ("decision", json!("refuse")),
        ("reason", json!(" ")),
        ("until", json!("tomorrow")),
    ] {
        let mut wrong = rule.clone();
        wrong[field] = value;
        let refused = put(&wrong);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{field}: {}", refused.text());
    }
    let remove = |query: &str| root.request(Method::DELETE, &format!("{path}?{query}"), "").status;
    assert_eq!(remove("upstream=acme&crate=foo_bar"), StatusCode::NOT_FOUND);
    assert_eq!(remove("upstream=acme&crate=foo_bar&Version=1.0.0"), StatusCode::BAD_REQUEST);
    assert_eq!(remove("upstream=acme&crate=foo_bar&version=1.0.0"), StatusCode::NO_CONTENT);
    assert_eq!(root.get(path).good().json(), json!({ "rules": [] }));
    assert_eq!(
        logged(&registry, &["upstream-block", "upstream-release"]),
        ["upstream-release by root of acme", "upstream-block by root of acme"]
    );
}

#[test]
fn rules_are_made_and_removed_on_the_page() {
    let registry = TestRegistry::with_upstream();
    registry.admin("root");
    let mut root = set_password(&registry, "root", "correct horse battery staple");
    let html = root.get("/admin/upstreams").good().text();
    for part in ["http://127.0.0.1:9/", "3 days", "sparse+http://registry.test/upstream/acme/index/", "There is none."]
    {
        assert!(html.contains(part), "{part}: {html}");
    }
    let fields = |reason: &'static str| {
        [("upstream", "acme"), ("crate", "foo"), ("version", "1.0.0"), ("decision", "allow"), ("reason", reason)]
    };
    let mut make = |reason| send(&mut root, "/admin/upstreams", "/admin/upstreams", &fields(reason));
    assert_eq!(place(&make("mends <b>it</b>")), "/admin/upstreams?notice=allow");
    assert_eq!(place(&make("mends <b>it</b>")), "/admin/upstreams?notice=same");
    let refused = make("");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.text().contains("needs a reason") && refused.text().contains("value=\"1.0.0\""),
        "{}",
        refused.text()
    );
    let html = root.get("/admin/upstreams?notice=allow").good().text();
    assert!(html.contains("It passes, within seconds.") && html.contains("mends &lt;b&gt;it&lt;/b&gt;"), "{html}");
    let of = [("upstream", "acme"), ("crate", "foo"), ("version", "1.0.0")];
    let released = send(&mut root, "/admin/upstreams", "/admin/upstreams/release", &of);
    assert_eq!(place(&released), "/admin/upstreams?notice=released");
    let again = send(&mut root, "/admin/upstreams", "/admin/upstreams/release", &of);
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text());
    // Members and sessions of tokens change nothing.
    let mut ann = set_password(&registry, "ann", "correct horse battery staple");
    assert_eq!(ann.get("/admin/upstreams").status, StatusCode::FORBIDDEN);
    assert!(root.get("/").good().text().contains("Crates of acme"));
}

#[test]
fn a_rule_is_about_all_crates_whose_names_begin_alike() {
    let served = served(&other(), &[]);
    let decide = |decision: &str, about: &str| {
        served.run(&format!("upstream {decision}"), &["acme", about, "--reason", "only what we have looked at"])
    };
    shows_yanked(&served, false);
    assert!(decide("block", "*").starts_with("* of acme is shown as yanked and never delivered"));
    shows_yanked(&served, true);
    assert_eq!(refusal(&served), "foo@1.0.0 of acme is blocked in this registry: only what we have looked at\n");
    assert!(decide("allow", "F*").starts_with("F* of acme passes"));
    shows_yanked(&served, false);
    download(&served).good();
    decide("block", "foo");
    shows_yanked(&served, true);
    let said = decide("allow", "foo*");
    assert!(said.contains("except foo, for which the rule `block` counts"), "{said}");
    shows_yanked(&served, true);
    let said = decide("block", "*");
    assert!(said.contains("nothing changed") && said.contains("except F*, for which the rule `allow`"), "{said}");
    served.run("upstream release", &["acme", "foo"]);
    shows_yanked(&served, false);
    for (about, part) in [
        ("foo*@1.0.0", "foo* is for several crates, and 1.0.0 is the version of one"),
        ("foo*o", "invalid value 'foo*o'"),
        ("9*", "invalid value"),
    ] {
        let output = served.command("upstream block").args(["acme", about, "--reason", "x"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(part), "{about}: {said}");
    }
    served.run("upstream release", &["acme", "foo*"]);
    let absent = served.command("upstream release").args(["acme", "f_*"]).output().unwrap();
    assert!(String::from_utf8_lossy(&absent.stderr).contains("there is no rule about f_* of acme"));
    assert_eq!(served.run("upstream release", &["acme", "f*"]), "removed the rule that allowed f* of acme\n");
    shows_yanked(&served, true);
}
