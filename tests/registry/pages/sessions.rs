//! Signing in and out, and private registries.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use supercargo::database::access::{revocation, sessions, tokens, users};

use super::{Browser, field};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

fn private() -> TestRegistry {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    registry.user("ann").publish(&Package::new("secret-name", "1.0.0")).good();
    registry.run_jobs();
    registry
}

const PAGES: [&str; 19] = [
    "/search",
    "/search?q=secret&fragment=1",
    "/advisories",
    "/keywords",
    "/categories",
    "/crates/secret-name",
    "/crates/nothing",
    "/crates/secret-name/1.0.0",
    "/crates/secret-name/versions",
    "/crates/secret-name/1.0.0/status",
    "/crates/secret-name/1.0.0/status/events",
    "/crates/nothing/1.0.0/status",
    "/crates/nothing/1.0.0/status/events",
    "/crates/secret-name/dependents",
    "/crates/secret-name/feed.atom",
    "/feeds/versions.atom",
    "/badges/secret-name.svg",
    "/badges/nothing.svg",
    "/sitemap.xml",
];

#[test]
fn without_a_session_a_private_registry_shows_nothing_but_how_to_get_one() {
    let registry = private();
    let mut browser = Browser::new(&registry);
    for path in PAGES {
        let refused = browser.get(path);
        assert_eq!(refused.status, StatusCode::SEE_OTHER, "{path}");
        let place = refused.headers["location"].to_str().unwrap();
        assert!(place.starts_with("/sign-in?to=%2F") && refused.body.is_empty(), "{path}: {place}");
        // A program is asked for a token.
        let refused = registry.anonymous().get(path);
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!refused.text().contains("secret"), "{path}: {}", refused.text());
    }
    for path in ["/", "/me", "/sign-in", "/robots.txt", "/opensearch.xml"] {
        let html = browser.get(path).good().text();
        assert!(!html.contains("secret-name") && !html.contains("1 crate"), "{path}: {html}");
    }
    assert!(browser.get("/").text().contains("credential-provider = &quot;cargo:token&quot;"));
}

#[test]
fn the_answer_without_a_session_is_the_same_for_what_is_there_and_what_is_not() {
    let registry = private();
    let mut browser = Browser::new(&registry);
    let seen = |browser: &mut Browser<'_>, path: &str| {
        let mut answer = browser.get(path);
        answer.headers.remove("x-request-id");
        let place = answer.headers.remove("location").unwrap();
        (answer.status, answer.headers, answer.body, place.to_str().unwrap().replace("secret-name", "nothing-12"))
    };
    assert_eq!(seen(&mut browser, "/crates/secret-name"), seen(&mut browser, "/crates/nothing-12"));
    assert_eq!(seen(&mut browser, "/badges/secret-name.svg"), seen(&mut browser, "/badges/nothing-12.svg"));
}

/// A browser does not send the cookie with a link of another site, such as a chat, but with one of this site.
#[test]
fn a_link_of_another_site_is_followed_once_more_from_here() {
    let registry = private();
    for path in ["/crates/secret-name?a=%22b", "/crates/nothing?a=%22b"] {
        let request = Request::get(path).header("accept", "text/html").header("sec-fetch-site", "cross-site");
        let answer = registry.anonymous().send(request.body(Body::empty()).unwrap()).good();
        assert!(answer.text().contains(&format!("content=\"0;url={path}\"")), "{}", answer.text());
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[test]
fn a_token_in_the_form_begins_a_session_which_ends_when_it_is_told_to() {
    let registry = private();
    let mut browser = Browser::new(&registry);
    let token = registry.user("bob").token.unwrap();
    let signed_in = browser.sign_in(&token);
    assert_eq!((signed_in.status, &signed_in.headers["location"]), (StatusCode::SEE_OTHER, &"/me".parse().unwrap()));
    let cookie = signed_in.headers.get_all("set-cookie").iter().next().unwrap().to_str().unwrap();
    assert!(cookie.starts_with("supercargo_session=scs_"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(&token));
    let shown = browser.get("/crates/secret-name").good();
    assert_eq!(shown.headers["cache-control"], "private, no-store");
    let html = shown.text();
    assert!(html.contains("Signed in as bob"), "{html}");
    // A form of another page does not sign out.
    assert_eq!(browser.post("/sign-out", &[("form_token", "0")]).status, StatusCode::FORBIDDEN);
    browser.get("/crates/secret-name").good();
    let form_token = field(&html, "form_token");
    let kept = browser.cookies.clone();
    assert_eq!(browser.post("/sign-out", &[("form_token", &form_token)]).status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/crates/secret-name").status, StatusCode::SEE_OTHER);
    // The cookie is worth nothing any longer.
    browser.cookies = kept;
    assert_eq!(browser.get("/crates/secret-name").status, StatusCode::SEE_OTHER);
}

#[test]
fn a_session_ends_with_its_token_and_with_its_time() {
    let registry = private();
    let bob = registry.user("bob");
    let mut browser = Browser::new(&registry);
    let status = |browser: &mut Browser<'_>| browser.get("/crates/secret-name").status;
    browser.sign_in(bob.token.as_ref().unwrap());
    assert_eq!(status(&mut browser), StatusCode::OK);
    let change = |sql: &str| {
        use diesel::RunQueryDsl;
        registry.pool.with(|connection| diesel::sql_query(sql).execute(connection).unwrap()).unwrap();
    };
    change("UPDATE web_sessions SET last_used_at = now() - interval '12 hours 1 minute'");
    assert_eq!(status(&mut browser), StatusCode::SEE_OTHER);
    change("UPDATE web_sessions SET last_used_at = now(), created_at = now() - interval '7 days 1 minute'");
    assert_eq!(status(&mut browser), StatusCode::SEE_OTHER);
    change("UPDATE web_sessions SET created_at = now()");
    assert_eq!(status(&mut browser), StatusCode::OK);
    change("UPDATE users SET disabled_at = now() WHERE login = 'bob'");
    assert_eq!(status(&mut browser), StatusCode::SEE_OTHER);
    change("UPDATE users SET disabled_at = NULL");
    assert_eq!(status(&mut browser), StatusCode::OK);
    registry
        .pool
        .with(|connection| {
            let user = users::find(connection, "bob").unwrap().unwrap();
            for (token, _) in tokens::list(connection, Some(user.id)).unwrap() {
                revocation::revoke(connection, token.id, None).unwrap();
            }
        })
        .unwrap();
    assert_eq!(status(&mut browser), StatusCode::SEE_OTHER);
}

#[test]
fn a_wrong_token_and_a_foreign_form_do_not_sign_in() {
    let registry = private();
    let mut browser = Browser::new(&registry);
    let refused = browser.sign_in("sct_0123");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text().contains("he token is unknown to this registry"), "{}", refused.text());
    assert!(browser.cookies.iter().all(|(name, _)| name != "supercargo_session"));
    assert_eq!(browser.sign_in("no token").status, StatusCode::BAD_REQUEST);
    let token = registry.user("bob").token.unwrap();
    // Without the form's own secret, as a page of another site would send it.
    let mut other = Browser::new(&registry);
    let refused = other.post("/sign-in", &[("form_token", "0"), ("token", &token)]);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let form = browser.get("/sign-in").good().text();
    let body = format!("form_token={}&token={token}", field(&form, "form_token"));
    let (name, value) = browser.cookies[0].clone();
    let request =
        Request::post("/sign-in").header("cookie", format!("{name}={value}")).header("sec-fetch-site", "cross-site");
    let refused = registry.anonymous().send(request.body(Body::from(body)).unwrap());
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[test]
fn the_sign_in_leads_back_and_nowhere_else() {
    let registry = private();
    let token = registry.user("bob").token.unwrap();
    for (to, place) in
        [("/crates/a?b=c", "/crates/a?b=c"), ("//evil.example", "/"), ("https://evil.example", "/"), ("", "/")]
    {
        let mut browser = Browser::new(&registry);
        let form = browser.get("/sign-in").good().text();
        let fields = [("form_token", &*field(&form, "form_token")), ("to", to), ("token", &token)];
        assert_eq!(browser.post("/sign-in", &fields).headers["location"], place, "{to}");
    }
}

#[test]
fn a_session_is_for_pages_alone_and_no_secret_is_stored() {
    let registry = private();
    let mut browser = Browser::new(&registry);
    browser.sign_in(&registry.user("bob").token.unwrap());
    for path in ["/api/v1/crates/secret-name", "/index/config.json"] {
        assert_eq!(browser.get(path).status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let secret = browser.cookies.iter().find(|(name, _)| name == "supercargo_session").unwrap().1.clone();
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        row: String,
    }
    let rows: Vec<Row> = registry
        .pool
        .with(|connection| diesel::sql_query("SELECT s::text AS row FROM web_sessions s").load(connection).unwrap())
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].row.contains(&secret[4..]), "{}", rows[0].row);
}

#[test]
fn a_token_has_a_bounded_number_of_sessions() {
    let registry = private();
    let token = registry.user("bob").token.unwrap();
    let mut first = Browser::new(&registry);
    first.sign_in(&token);
    let most = usize::try_from(sessions::MAX_SESSIONS).unwrap();
    let mut others: Vec<_> = (0..most).map(|_| Browser::new(&registry)).collect();
    for other in &mut others {
        other.sign_in(&token);
    }
    assert_eq!(others.last_mut().unwrap().get("/search").status, StatusCode::OK);
    let left: i64 = registry
        .pool
        .with(|connection| {
            use diesel::prelude::*;
            supercargo::database::schema::web_sessions::table.count().get_result(connection).unwrap()
        })
        .unwrap();
    assert_eq!(usize::try_from(left).unwrap(), most);
}

#[test]
fn pages_are_only_read_unless_they_have_a_form() {
    let registry = private();
    let bob = registry.user("bob");
    for path in ["/", "/search", "/crates/secret-name"] {
        assert_eq!(bob.request(Method::POST, path, Body::empty()).status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}
