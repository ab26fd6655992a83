//! Every page, as somebody may come to it.

use super::Browser;
use super::site::{LATE, LONG_NAME, LOST, SET, Site};

/// A page.
#[derive(Clone, Debug)]
pub struct Place {
    /// The name of its screenshots.
    pub name: &'static str,
    pub path: String,
    /// Its status, which is 200 but for pages in place of errors.
    pub status: u16,
}

fn place(name: &'static str, path: impl Into<String>) -> Place {
    Place { name, path: path.into(), status: 200 }
}

/// The pages that everybody sees.
pub fn open_to_all() -> Vec<Place> {
    vec![
        place("home", "/"),
        place("search", "/search?q=http"),
        place("search-all", "/search"),
        place("search-narrowed", "/search?keyword=http&owner=ann&category=network-programming"),
        place("search-nothing", "/search?q=nothing-like-it"),
        place("keywords", "/keywords"),
        place("categories", "/categories"),
        place("crate", "/crates/harbor"),
        place("crate-yanked", "/crates/harbor/1.1.0"),
        place("crate-prerelease", "/crates/harbor/2.0.0-rc.1"),
        place("crate-binary", "/crates/harbor-cli"),
        place("crate-long-name", format!("/crates/{LONG_NAME}")),
        place("versions", "/crates/harbor/versions"),
        place("dependencies", "/crates/harbor/1.2.0/dependencies"),
        place("features", "/crates/harbor/1.2.0/features"),
        place("dependents", "/crates/harbor-macros/dependents"),
        place("crate-queued", format!("/crates/{LATE}")),
        place("status", "/crates/harbor/1.2.0/status"),
        place("status-yanked", "/crates/harbor/1.1.0/status"),
        place("status-queued", format!("/crates/{LATE}/1.0.0/status")),
        place("status-stopped", format!("/crates/{LOST}/1.0.0/status")),
        place("source", "/crates/harbor/1.2.0/source"),
        place("source-file", "/crates/harbor/1.2.0/source/src/client.rs"),
        place("source-manifest", "/crates/harbor/1.2.0/source/Cargo.toml"),
        place("source-lines", "/crates/harbor/1.2.0/source/src/client.rs#L28-L34"),
        place("source-image", "/crates/harbor/1.2.0/source/assets/harbor.svg"),
        place("source-binary", "/crates/harbor/1.2.0/source/tests/data/answer.bin"),
        place("diff", "/crates/harbor/diff/1.1.1...1.2.0"),
        place("diff-split", "/crates/harbor/diff/1.1.1...1.2.0?view=split"),
        place("diff-file", "/crates/harbor/diff/1.1.1...1.2.0?file=src%2Fclient.rs"),
        place("tokens", "/me"),
        place("sign-in", "/sign-in"),
        Place { name: "not-found", path: "/crates/harbour".into(), status: 404 },
        Place { name: "bad-request", path: "/crates/harbor/diff?v=1.0.0".into(), status: 400 },
    ]
}

/// The pages that look otherwise to somebody who is signed in.
pub fn signed_in() -> Vec<Place> {
    vec![
        place("signed-in-crate", "/crates/harbor"),
        place("signed-in-status", format!("/crates/{LOST}/1.0.0/status")),
        place("signed-in-again", "/sign-in"),
        place("account", "/me"),
        place("new-token", "/me/tokens/new"),
        place("crate-settings", "/crates/harbor/settings"),
        place("crate-webhooks", "/crates/harbor/settings/webhooks"),
        place("webhook", "/webhooks/1"),
        place("release-sets", "/release-sets"),
        place("release-sets-all", "/release-sets?state="),
        place("release-sets-none", "/release-sets?state=approved"),
        place("release-set", format!("/release-sets/{SET}")),
        place("release-set-rejected", "/release-sets/autumn"),
        place("release-set-changes", format!("/release-sets/{SET}/harbor/2.0.0")),
        place("release-set-new-crate", format!("/release-sets/{SET}/harbor-tides/0.1.0")),
    ]
}

/// The pages that admins see.
fn for_admins(site: &Site) -> Vec<Place> {
    let job = format!("/queue/jobs/{}", site.dead_job());
    vec![
        place("queue", "/queue"),
        place("queue-dead", "/queue?state=dead"),
        place("queue-done", "/queue?state=done"),
        place("queue-nothing", "/queue?by=nobody"),
        place("job-retry", format!("{job}/retry")),
        place("job-discard", format!("{job}/discard")),
        place("job", job),
        place("queue-retry-dead", "/queue/retry-dead?kind=publish_version"),
        place("users", "/admin/users"),
        place("user", "/admin/users/ann"),
        place("teams", "/admin/teams"),
        place("team", "/admin/teams/crew"),
        place("reserved-names", "/admin/reserved-names"),
        place("upstreams", "/admin/upstreams"),
        place("webhooks", "/admin/webhooks"),
        place("webhook-admin", "/webhooks/1"),
        place("audit", "/admin/audit"),
        place("audit-narrowed", "/admin/audit?actor=ann&action=publish&days=400"),
        place("release-set-admin", format!("/release-sets/{SET}")),
    ]
}

/// The pages of somebody who has signed in with a link, and has to prove that once more.
fn for_people() -> Vec<Place> {
    vec![
        place("account-person", "/me"),
        place("password", "/me/password"),
        place("email", "/me/email"),
        place("again", "/sign-in/again?to=/me/password"),
    ]
}

/// The pages of an admin who has signed in with a link, with forms that a session of a token does not have.
fn for_admins_in_person() -> Vec<Place> {
    vec![
        place("users-person", "/admin/users"),
        place("user-person", "/admin/users/ann"),
        place("teams-person", "/admin/teams"),
        place("team-person", "/admin/teams/crew"),
        place("reserved-names-person", "/admin/reserved-names"),
        place("upstreams-person", "/admin/upstreams"),
    ]
}

/// Signs in with a link, which is a page, too, and goes to these pages.
fn by_link(
    site: &Site,
    browser: &Browser,
    (login, name): (&str, &'static str),
    places: Vec<Place>,
    mut at: impl FnMut(&Place),
) {
    let link = site.served.run("admin user sign-in-link", &[login]);
    let path = link.trim().strip_prefix(&site.served.url).unwrap().to_owned();
    browser.open(&path);
    at(&Place { name, path, status: 200 });
    let password = "correct horse battery staple";
    browser.type_into("#new-password", password);
    browser.type_into("#repeated", password);
    browser.click("form:has(#repeated) button[type=submit]");
    browser.wait_for_path("/me");
    for place in places {
        if place.name == "again" {
            let pass = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
            let mut connection = site.served.database.connect();
            diesel::RunQueryDsl::execute(diesel::sql_query(pass), &mut connection).unwrap();
        }
        browser.open(&place.path);
        at(&place);
    }
}

/// Goes to every page: as a stranger, as the owner of the crates, and as an admin.
pub fn visit_all(site: &Site, browser: &Browser, mut at: impl FnMut(&Place)) {
    for place in open_to_all() {
        browser.open(&place.path);
        at(&place);
    }
    for (token, places) in [(&site.ann, signed_in()), (&site.root, for_admins(site))] {
        browser.open("/sign-in");
        browser.sign_in(token);
        for place in places {
            browser.open(&place.path);
            at(&place);
        }
    }
    by_link(site, browser, ("ann", "link"), for_people(), &mut at);
    by_link(site, browser, ("root", "link-admin"), for_admins_in_person(), at);
}
