//! Every form of the pages is taken from the session that it was shown to, and from no other.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::field;
use crate::sign_in::set_password;
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

const PASSWORD: &str = "correct horse battery staple";

/// The paths below a directory of the sources that take a form.
fn paths_of_forms(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths_of_forms(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for route in text.split(".route(").skip(1) {
            let (path, methods) = route.split_once(',').unwrap();
            // Up to the end of the line that begins the next call, or the function.
            let methods = methods.split('\n').next().unwrap();
            if methods.contains("post(") {
                found.insert(path.trim().trim_matches('"').to_owned());
            }
        }
    }
}

#[test]
fn a_form_of_another_session_and_none_are_refused_everywhere() {
    let registry = TestRegistry::new();
    let root = registry.admin("root");
    root.publish(&Package::new("demo", "1.0.0")).good();
    let job = supercargo::queue::inspection::Selection::Pending;
    let job = registry.pool.with(|connection| {
        supercargo::queue::inspection::list(connection, job, 1).unwrap().first().unwrap().id.to_string()
    });
    let job = job.unwrap();
    let mut paths = BTreeSet::new();
    paths_of_forms(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/pages"), &mut paths);
    // A secret in the link of a mail stands in place of a session there.
    paths.retain(|path| !path.starts_with("/email/"));
    assert!(paths.len() > 25 && paths.contains("/sign-in/link") && paths.contains("/oauth/device"), "{paths:?}");
    let mut browser = set_password(&registry, "root", PASSWORD);
    let mut other = set_password(&registry, "other", PASSWORD);
    let own = field(&browser.get("/me").good().text(), "form_token");
    let foreign = field(&other.get("/me").good().text(), "form_token");
    // The page of the sign-in has a token of its own.
    browser.get("/sign-in").good();
    for path in &paths {
        let path = path.replace("{login}", "other").replace("{name}", "demo").replace("{set}", "next");
        let path = path.replace("{id}", if path.starts_with("/queue/") { &job } else { "1" });
        for fields in [vec![], vec![("form_token", "")], vec![("form_token", &*foreign)]] {
            let refused = browser.post(&path, &fields);
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {fields:?}: {}", refused.text());
            assert!(refused.text().contains("form was not sent from a page"), "{path} {fields:?}: {}", refused.text());
        }
        let pairs: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::post(&path).header("cookie", pairs.join("; ")).header("sec-fetch-site", "cross-site");
        let refused = registry.anonymous().send(request.body(Body::from(format!("form_token={own}"))).unwrap());
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text().contains("form was not sent from a page"), "{path}: {}", refused.text());
    }
    assert!(browser.get("/me").good().text().contains("Signed in as root"));
    assert_eq!(registry.run_jobs(), 1);
}
