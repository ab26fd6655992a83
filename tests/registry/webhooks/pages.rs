//! The pages of webhooks: who sees and changes them, what they show, and that the secret is shown once.

use axum::http::StatusCode;
use diesel::RunQueryDsl;
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::scope::Scope;
use supercargo::database::access::{teams, users};
use supercargo::database::webhooks::endpoints::{self, Which};

use crate::pages::{Browser, field, said};
use crate::sign_in::{logged, place, send, set_password};
use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;
use crate::support::webhook_receiver::{Reaction, WebhookReceiver};

const PASSWORD: &str = "correct horse battery staple";
const OF_ALL: &str = "/admin/webhooks";
const OF_DEMO: &str = "/crates/demo/settings/webhooks";
/// Nobody is there.
const NOWHERE: &str = "https://receiver.invalid/hook";

fn with_demo() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("demo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

fn admin<'a>(registry: &'a TestRegistry, login: &str) -> Browser<'a> {
    registry.admin(login);
    set_password(registry, login, PASSWORD)
}

fn execute(registry: &TestRegistry, statement: &str) -> usize {
    registry.pool.with(|connection| diesel::sql_query(statement).execute(connection).unwrap()).unwrap()
}

/// The proof of every session is of eleven minutes ago.
fn let_it_pass(registry: &TestRegistry) {
    execute(registry, "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'");
}

fn count(registry: &TestRegistry) -> usize {
    registry.pool.with(|connection| endpoints::list(connection, Which::All).unwrap().len()).unwrap()
}

/// Ends what waits.
fn remove_all(registry: &TestRegistry) {
    execute(registry, "DELETE FROM webhooks");
    registry.make_due();
    registry.run_jobs();
}

/// Sends the form of a list.
fn send_new(browser: &mut Browser<'_>, list: &str, fields: &[(&str, &str)]) -> Answer {
    send(browser, list, list, fields)
}

/// Adds a webhook; the path of its page, and its secret.
fn add(browser: &mut Browser<'_>, list: &str, fields: &[(&str, &str)]) -> (String, String) {
    let shown = send_new(browser, list, fields).good();
    assert_eq!(shown.headers["cache-control"], "no-store");
    let html = shown.text();
    let page = html.split("href=\"").find(|link| link.starts_with("/webhooks/")).unwrap();
    (page.split('"').next().unwrap().to_owned(), secret(&html))
}

/// The secret that a page shows, once.
fn secret(html: &str) -> String {
    let found: Vec<_> = html.match_indices("whsec_").collect();
    assert_eq!(found.len(), 1, "{html}");
    html[found[0].0..].split('<').next().unwrap().to_owned()
}

/// Sends a form of the page of a webhook.
fn post(browser: &mut Browser<'_>, page: &str, change: &str, fields: &[(&str, &str)]) -> Answer {
    send(browser, page, &format!("{page}/{change}"), fields)
}

#[test]
fn an_owner_adds_a_webhook_and_does_everything_with_it() {
    let registry = with_demo();
    let receiver = WebhookReceiver::start();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    assert!(ann.get("/crates/demo/settings").good().text().contains(&format!("href=\"{OF_DEMO}\"")));
    assert!(ann.get(OF_DEMO).good().text().contains("There is none."));
    let fields = [("url", &*receiver.url), ("events", "version.*, owner.added"), ("description", "the chat")];
    let (page, first) = add(&mut ann, OF_DEMO, &fields);
    let html = said(&ann.get(OF_DEMO).good().text());
    for shown in [&*receiver.url, "the chat", "version.*, owner.added", " of the crate <a", "active"] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    registry.run_jobs();
    let got = receiver.got();
    assert_eq!((got.len(), got[0].kind()), (1, "webhook.test".to_owned()));
    assert!(got[0].body.contains("\"registry\":\"http://registry.test\""), "{}", got[0].body);
    let html = said(&ann.get(&page).good().text());
    for shown in ["204 after", "webhook.test", got[0].id(), "0 events", "by ann", "&quot;by&quot;:&quot;ann&quot;"] {
        assert!(html.contains(shown), "{shown}: {html}");
    }

    assert_eq!(place(&post(&mut ann, &page, "pause", &[("reason", "it moves")])), format!("{page}?notice=paused"));
    let html = said(&ann.get(&page).good().text());
    assert!(html.contains("Paused</strong>") && html.contains("by ann: it moves"), "{html}");
    assert!(!html.contains("Deliver again") && !html.contains("Send a test"), "{html}");
    let refused = post(&mut ann, &page, "test", &[]);
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text().contains("is paused: resume it first"), "{}", refused.text());
    assert!(refused.text().contains(&format!("href=\"{page}\"")), "{}", refused.text());
    assert_eq!(place(&post(&mut ann, &page, "resume", &[("drop", "false")])), format!("{page}?notice=resumed"));
    assert_eq!(place(&post(&mut ann, &page, "test", &[])), format!("{page}?notice=test"));
    assert!(ann.get(&format!("{page}?notice=test")).good().text().contains("A test is on its way"));
    let html = said(&ann.get(&page).good().text());
    assert!(html.contains("1 event") && html.contains("not yet"), "{html}");
    let delivery = field(&html, "delivery");
    let again = post(&mut ann, &page, "redeliver", &[("delivery", &delivery)]);
    assert_eq!(place(&again), format!("{page}?notice=again"));
    registry.run_jobs();
    let got = receiver.got();
    assert_eq!((got.len(), got[2].id()), (3, got[0].id()));

    let fields = [("url", &*receiver.url), ("events", "crate.deleted"), ("description", "")];
    assert_eq!(place(&post(&mut ann, &page, "change", &fields)), format!("{page}?notice=changed"));
    let html = said(&ann.get(&page).good().text());
    assert!(html.contains("crate.deleted of the crate") && !html.contains("the chat"), "{html}");
    let rotated = post(&mut ann, &page, "secret", &[("overlap", "168")]).good();
    assert_eq!(rotated.headers["cache-control"], "no-store");
    assert_ne!(secret(&rotated.text()), first);
    assert!(ann.get(&page).good().text().contains("of two secrets, until"));
    post(&mut ann, &page, "test", &[]);
    registry.run_jobs();
    assert_eq!(receiver.got()[3].header("webhook-signature").split(' ').count(), 2);

    assert_eq!(place(&post(&mut ann, &page, "remove", &[])), format!("{OF_DEMO}?notice=removed"));
    assert!(ann.get(OF_DEMO).good().text().contains("There is none."));
    assert_eq!(ann.get(&page).status, StatusCode::NOT_FOUND);
    let id = page.rsplit('/').next().unwrap();
    let actions =
        ["webhook-add", "webhook-pause", "webhook-resume", "webhook-update", "webhook-secret", "webhook-remove"];
    let expected: Vec<_> = actions.iter().rev().map(|action| format!("{action} by ann of {id}")).collect();
    assert_eq!(logged(&registry, &actions), expected);
}

#[test]
fn the_secret_is_shown_once_and_on_no_other_page() {
    let registry = with_demo();
    let mut root = admin(&registry, "root");
    let (page, secret) = add(&mut root, OF_ALL, &[("url", NOWHERE), ("events", "*")]);
    registry.drain();
    let key = secret.strip_prefix("whsec_").unwrap();
    let pages = [&*page, OF_ALL, "/admin/audit", "/queue", "/queue?state=failing", "/me", "/admin/audit/export"];
    for path in pages {
        let html = root.get(path).good().text();
        assert!(!html.contains(key) && !html.contains("whsec_"), "{path}: {html}");
    }
    remove_all(&registry);
}

/// Who may see and change the webhook of a crate, of a team, and of everything.
#[test]
fn only_those_whose_crate_or_team_it_is_and_admins_see_and_change_it() {
    let registry = with_demo();
    registry
        .pool
        .with(|connection| {
            let member = users::create(connection, "member", None).unwrap();
            let team = teams::create(connection, "devs").unwrap();
            teams::add_member(connection, team.id, member.id).unwrap();
        })
        .unwrap();
    let mut root = admin(&registry, "root");
    let (of_demo, _) = add(&mut root, OF_ALL, &[("url", NOWHERE), ("events", "*"), ("crate", "Demo")]);
    let (of_team, _) = add(&mut root, OF_ALL, &[("url", NOWHERE), ("events", "*"), ("team", "team:devs")]);
    let (of_all, _) = add(&mut root, OF_ALL, &[("url", NOWHERE), ("events", "*")]);
    let html = said(&root.get(OF_ALL).good().text());
    for shown in [&*of_demo, &*of_team, &*of_all, " of the team devs", "every event of the registry"] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    let html = root.get(OF_DEMO).good().text();
    assert!(html.contains(&of_demo) && !html.contains(&of_team) && !html.contains(&of_all), "{html}");
    let paths = [OF_ALL, OF_DEMO, &of_demo, &of_team, &of_all];
    let with = |browser: &mut Browser<'_>| paths.map(|path| browser.get(path).status.as_u16());
    assert_eq!(with(&mut root), [200, 200, 200, 200, 200]);
    assert_eq!(with(&mut set_password(&registry, "ann", PASSWORD)), [403, 200, 200, 403, 403]);
    assert_eq!(with(&mut set_password(&registry, "member", PASSWORD)), [403, 403, 403, 200, 403]);
    let mut eve = set_password(&registry, "eve", PASSWORD);
    assert_eq!(with(&mut eve), [403, 403, 403, 403, 403]);
    for path in [OF_ALL, OF_DEMO] {
        assert_eq!(send(&mut eve, "/me", path, &[("url", NOWHERE), ("events", "*")]).status, StatusCode::FORBIDDEN);
    }
    for page in [&of_demo, &of_team, &of_all] {
        for change in ["change", "pause", "resume", "test", "redeliver", "secret", "remove"] {
            let fields = [("url", NOWHERE), ("events", "version.*"), ("delivery", "1"), ("drop", "true")];
            let refused = send(&mut eve, "/me", &format!("{page}/{change}"), &fields);
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{page}/{change}: {}", refused.text());
        }
    }
    let all = registry.pool.with(|connection| endpoints::list(connection, Which::All).unwrap()).unwrap();
    assert!(all.len() == 3 && all.iter().all(|one| one.pause.is_none() && one.events[0].to_string() == "*"), "{all:?}");
    for (path, status) in
        [("/webhooks/2000000000", 404), ("/webhooks/x", 404), ("/crates/nothing/settings/webhooks", 404)]
    {
        assert_eq!(root.get(path).status.as_u16(), status, "{path}");
    }
    let mut nobody = Browser::new(&registry);
    for path in paths {
        assert!(place(&nobody.get(path)).starts_with("/sign-in?to="), "{path}");
    }
    for path in [OF_ALL, OF_DEMO, &format!("{of_demo}/pause")] {
        assert_eq!(nobody.post(path, &[]).status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // The member has no list to come back to.
    let mut member = set_password(&registry, "member", PASSWORD);
    assert_eq!(place(&post(&mut member, &of_team, "remove", &[])), "/me");
    assert!(root.get("/").good().text().contains("href=\"/admin/webhooks\""));
    assert!(!eve.get("/").good().text().contains("href=\"/admin/webhooks\""));
    remove_all(&registry);
}

#[test]
fn the_session_of_a_token_has_the_rights_of_the_token() {
    let registry = with_demo();
    let scoped = |scope: Scope, pattern: Option<&str>| {
        let token = NewToken {
            scopes: Some(vec![scope]),
            crate_patterns: pattern.map(|pattern| vec![pattern.parse().unwrap()]),
            ..NewToken::named("scoped")
        };
        let mut browser = Browser::new(&registry);
        browser.sign_in(registry.user_with("ann", token).token.as_ref().unwrap());
        browser
    };
    for (scope, pattern, missing) in [
        (Scope::PublishUpdate, None, "needs the scope change-owners"),
        (Scope::ChangeOwners, Some("other"), "is restricted to other"),
    ] {
        let mut browser = scoped(scope, pattern);
        let refused = browser.get(OF_DEMO);
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(said(&refused.text()).contains(missing), "{}", refused.text());
        let form_token = field(&refused.text(), "form_token");
        let sent = [("form_token", &*form_token), ("url", NOWHERE), ("events", "*")];
        let refused = browser.post(OF_DEMO, &sent);
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
        assert!(said(&refused.text()).contains(missing), "{}", refused.text());
    }
    assert_eq!(count(&registry), 0);
    let mut browser = scoped(Scope::ChangeOwners, Some("demo"));
    let (page, _) = add(&mut browser, OF_DEMO, &[("url", NOWHERE), ("events", "*")]);
    assert_eq!(place(&post(&mut browser, &page, "pause", &[])), format!("{page}?notice=paused"));
    // A token that is sent with a request reads, and has no forms.
    let token = registry.user("ann");
    let html = token.get(&page).good().text();
    assert!(html.contains("Changes need a session") && !html.contains("name=\"url\""), "{html}");
    remove_all(&registry);
}

#[test]
fn what_is_entered_is_checked_and_shown_as_text() {
    let registry = with_demo();
    let mut root = admin(&registry, "root");
    let long = format!("https://a.example/{}", "x".repeat(2_000));
    let wordy = "x".repeat(201);
    for (name, value, why) in [
        ("url", "", "cannot be the URL of a webhook"),
        ("url", "javascript:alert(1)", "cannot be the URL of a webhook"),
        ("url", "https://user:word@a.example/", "without user, password and fragment"),
        ("url", "https://a.example/#part", "without user, password and fragment"),
        ("url", "https://receiver.invalid:0/", "cannot be the URL of a webhook"),
        ("url", &long, "of at most 2000 bytes"),
        ("events", "", "at least one type of event"),
        ("events", "version.published, \"><script>alert(1)</script>", "is no type of event"),
        ("description", &wordy, "has 201 characters, above the limit of 200"),
        ("description", "to\u{202e}left", "U+202E"),
        ("crate", "nothing", "nothing"),
        ("team", "nobody", "nobody"),
    ] {
        let usual = [("url", NOWHERE), ("events", "*"), ("description", "about \"><b>it")];
        let fields: Vec<_> = usual.into_iter().filter(|(usual, _)| *usual != name).chain([(name, value)]).collect();
        let refused = send_new(&mut root, OF_ALL, &fields);
        let status = if ["crate", "team"].contains(&name) { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        let html = said(&refused.text());
        assert_eq!(refused.status, status, "{name} {value}: {html}");
        assert!(html.contains("That did not work.") && html.contains(why), "{name} {value}: {html}");
        assert!(!html.contains("<script>alert") && !html.contains("<b>it"), "{name} {value}: {html}");
        // What was entered is still there.
        assert!(
            name == "description" || html.contains("value=\"about &quot;&gt;&lt;b&gt;it\""),
            "{name} {value}: {html}"
        );
    }
    let both = [("url", NOWHERE), ("events", "*"), ("crate", "demo"), ("team", "devs")];
    assert!(send_new(&mut root, OF_ALL, &both).text().contains("leave out one of the two"));
    assert_eq!(count(&registry), 0);

    let url = "https://receiver.invalid/\"><script>alert(1)</script>";
    let fields = [("url", url), ("events", "*"), ("description", "\"><script>alert(1)</script>")];
    let (page, _) = add(&mut root, OF_ALL, &fields);
    let log = root.get("/admin/audit").good().text();
    assert!(log.contains("https://receiver.invalid") && !log.contains("alert"), "{log}");
    for path in [&*page, OF_ALL] {
        let html = root.get(path).good().text();
        assert!(!html.contains("<script>alert") && html.contains("&lt;script&gt;alert(1)"), "{path}: {html}");
    }
    let wrong = [("url", "http://"), ("events", "x"), ("description", "another \"><b>one")];
    let refused = post(&mut root, &page, "change", &wrong);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let html = said(&refused.text());
    assert!(html.contains("That did not work.") && html.contains("value=\"another &quot;&gt;&lt;b&gt;one\""), "{html}");
    for (change, name, value) in [
        ("pause", "reason", "a\u{202e}b"),
        ("resume", "drop", "perhaps"),
        ("redeliver", "delivery", "x"),
        ("redeliver", "other", "1"),
        ("secret", "overlap", "5"),
    ] {
        let refused = post(&mut root, &page, change, &[(name, value)]);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{change} {value}: {}", refused.text());
    }
    let unknown = post(&mut root, &page, "redeliver", &[("delivery", "2000000000")]);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text());
    remove_all(&registry);
}

#[test]
fn what_could_lead_events_elsewhere_needs_a_fresh_proof() {
    let registry = with_demo();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let (page, _) = add(&mut ann, OF_DEMO, &[("url", NOWHERE), ("events", "*")]);
    let_it_pass(&registry);
    let encoded = page.replace('/', "%2F");
    let to_confirm = format!("/sign-in/again?to={encoded}&unsent=true");
    let new = send_new(&mut ann, OF_DEMO, &[("url", NOWHERE), ("events", "*")]);
    assert_eq!(place(&new), "/sign-in/again?to=%2Fcrates%2Fdemo%2Fsettings%2Fwebhooks&unsent=true");
    let elsewhere = [("url", "https://elsewhere.invalid/"), ("events", "*")];
    assert_eq!(place(&post(&mut ann, &page, "change", &elsewhere)), to_confirm);
    assert_eq!(place(&post(&mut ann, &page, "secret", &[("overlap", "0")])), to_confirm);
    assert_eq!(place(&post(&mut ann, &page, "remove", &[])), to_confirm);
    let html = ann.get(&page).good().text();
    assert!(html.contains(NOWHERE) && !html.contains("elsewhere") && !html.contains("of two secrets"), "{html}");
    assert_eq!(count(&registry), 1);
    // The rest leads nothing elsewhere.
    let fields = [("url", NOWHERE), ("events", "version.*")];
    for (change, fields, notice) in [
        ("change", &fields[..], "changed"),
        ("test", &[], "test"),
        ("pause", &[], "paused"),
        ("resume", &[("drop", "true")], "dropped"),
    ] {
        assert_eq!(place(&post(&mut ann, &page, change, fields)), format!("{page}?notice={notice}"));
    }
    let mut root = admin(&registry, "root");
    let_it_pass(&registry);
    let new = send_new(&mut root, OF_ALL, &[("url", NOWHERE), ("events", "*")]);
    assert_eq!(place(&new), "/sign-in/again?to=%2Fadmin%2Fwebhooks&unsent=true");
    // After the proof it is done.
    let proof = [("to", &*page), ("password", PASSWORD)];
    assert_eq!(place(&send(&mut ann, "/sign-in/again", "/sign-in/again", &proof)), page);
    let changed = post(&mut ann, &page, "change", &elsewhere);
    assert_eq!(place(&changed), format!("{page}?notice=changed"));
    let rotated = post(&mut ann, &page, "secret", &[("overlap", "0")]).good().text();
    assert!(rotated.contains("no longer have the signature"), "{rotated}");
    assert!(!ann.get(&page).good().text().contains("of two secrets"));
    remove_all(&registry);
}

#[test]
fn a_webhook_that_fails_says_why_and_is_tried_again_or_emptied() {
    let registry = with_demo();
    let receiver = WebhookReceiver::start();
    receiver.always(Reaction::Answer(500, "", "<b>out of order</b>"));
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let (page, _) = add(&mut ann, OF_DEMO, &[("url", &receiver.url), ("events", "*")]);
    assert_eq!(registry.drain().failed.len(), 1);
    let html = said(&ann.get(&page).good().text());
    for shown in
        ["Failing</strong> after 1 attempt: ", "500", "The next attempt is made at", "1 event", "Try again now"]
    {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(html.contains("Only drop 1 waiting event") && !html.contains("<b>out"), "{html}");
    assert!(ann.get(OF_DEMO).good().text().contains("<span class=\"tag bad\">failing</span>"));
    assert_eq!(place(&post(&mut ann, &page, "resume", &[("drop", "false")])), format!("{page}?notice=resumed"));
    assert_eq!(registry.drain().failed.len(), 1);
    assert!(said(&ann.get(&page).good().text()).contains("after 1 attempt:"));
    assert_eq!(place(&post(&mut ann, &page, "resume", &[("drop", "true")])), format!("{page}?notice=dropped"));
    registry.run_jobs();
    let html = said(&ann.get(&page).good().text());
    assert!(html.contains("0 events") && !html.contains("Failing") && html.contains("There is none."), "{html}");
    // The receiver wants no more.
    receiver.always(Reaction::Answer(410, "", ""));
    post(&mut ann, &page, "test", &[]);
    registry.run_jobs();
    let html = said(&ann.get(&page).good().text());
    assert!(html.contains("by the registry: the receiver has answered 410 Gone"), "{html}");
    assert!(html.contains("Resume, and drop 1 waiting event"), "{html}");
    assert!(ann.get(OF_DEMO).good().text().contains("<span class=\"tag warn\">paused</span>"));
}

#[test]
fn deliveries_are_on_pages_and_their_bodies_are_text() {
    let registry = with_demo();
    let mut ann = set_password(&registry, "ann", PASSWORD);
    let (page, _) = add(&mut ann, OF_DEMO, &[("url", NOWHERE), ("events", "*")]);
    let id = page.rsplit('/').next().unwrap();
    let body = "{\"by\":\"<script>alert(1)</script>\u{202e}\"}";
    execute(
        &registry,
        &format!(
            "WITH event AS (INSERT INTO webhook_events (type, body) VALUES ('version.yanked', '{body}') RETURNING id)
             INSERT INTO webhook_deliveries (webhook_id, event_id, delivered_at, status, took_ms)
             SELECT {id}, event.id, now(), 202, 12 FROM event, generate_series(1, 30)"
        ),
    );
    let html = ann.get(&page).good().text();
    assert_eq!(html.matches("Deliver again").count(), 25);
    assert!(html.contains("202 after 12 ms") && html.contains("rel=\"next\""), "{html}");
    assert!(!html.contains("<script>alert") && !html.contains('\u{202e}') && html.contains("\\u202e"), "{html}");
    let next = html.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let html = ann.get(&next).good().text();
    assert_eq!(html.matches("Deliver again").count(), 5);
    assert!(
        html.contains("rel=\"first\"") && !html.contains("rel=\"next\"") && html.contains("webhook.test"),
        "{html}"
    );
    assert_eq!(ann.get(&format!("{page}?before=x")).status, StatusCode::BAD_REQUEST);
    remove_all(&registry);
}
