//! Signing in on the pages: by an identity provider, which is a real one, by a password, and by a link.

mod admin_pages;
mod again;
mod cargo_login;
mod commands;
mod crate_settings;
mod devices;
mod hostile;
mod links;
mod mapping;
mod own_page;
mod passwords;
mod providers;
mod roles;

use axum::http::StatusCode;
use serde_json::{Value, json};
use supercargo::config::IdentityProvider;
use supercargo::database::access::users;
use supercargo::database::sign_in::links as one_time;

use crate::pages::{Browser, field};
use crate::support::harness::{Answer, BASE_URL, TestRegistry};
use crate::support::oidc_provider::{OidcProvider, ProviderCookies, Setup};

/// A registry with one identity provider, whose file ends with `more`.
pub struct Site {
    pub provider: OidcProvider,
    pub registry: TestRegistry,
}

impl Site {
    pub fn new(more: &str) -> Self {
        Self::with(Setup::default(), more)
    }

    pub fn with(setup: Setup, more: &str) -> Self {
        let provider = OidcProvider::start(setup);
        let providers = described(&[(&provider, "acme", more)]);
        let registry = TestRegistry::with(|settings| settings.sign_in.providers = providers);
        know(&provider, "acme");
        Self { provider, registry }
    }

    /// Signs in at the provider as an account, in a new browser.
    pub fn sign_in(&self, subject: &str) -> (Browser<'_>, Answer) {
        let mut browser = Browser::new(&self.registry);
        let answer = self.sign_in_with(&mut browser, "/sign-in/with/acme?to=/me", subject);
        (browser, answer)
    }

    /// Follows a link of a page to the provider, signs in there as an account, and comes back.
    pub fn sign_in_with(&self, browser: &mut Browser<'_>, link: &str, subject: &str) -> Answer {
        let back = self.provider.sign_in(&mut ProviderCookies::default(), &away(browser.get(link)), subject);
        come_back(browser, &back)
    }

    /// An account with this login and these groups.
    pub fn account(&self, subject: &str, login: &str, groups: &[&str]) {
        let claims = json!({
            "preferred_username": login, "name": format!("{login} Example"), "email": format!("{login}@acme.example"),
            "email_verified": true, "groups": groups,
        });
        self.provider.account(subject, &claims);
    }

    /// How many users of a login there are.
    pub fn user(&self, login: &str) -> Option<users::User> {
        self.registry.pool.with(|connection| users::find(connection, login).unwrap()).unwrap()
    }
}

/// The file of each provider, read as `serve` reads it.
pub fn described(providers: &[(&OidcProvider, &str, &str)]) -> Vec<IdentityProvider> {
    let issuers: Vec<_> = providers.iter().map(|(provider, name, more)| (provider.issuer(), *name, *more)).collect();
    of_issuers(&issuers)
}

/// The same, by their issuers.
pub fn of_issuers(providers: &[(&str, &str, &str)]) -> Vec<IdentityProvider> {
    let directory = tempfile::tempdir().unwrap();
    let files = providers.iter().map(|(issuer, name, more)| {
        let file = directory.path().join(format!("{name}.toml"));
        let secret = directory.path().join(format!("{name}.secret"));
        std::fs::write(&secret, "a secret of the client").unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let text = format!(
            "name = \"{name}\"\ntitle = \"{name} SSO\"\nissuer = \"{}\"\nclient-id = \"registry\"\n\
             client-secret-file = \"{name}.secret\"\nscopes = [\"profile\", \"email\", \"groups\"]\n{more}\n",
            issuer
        );
        std::fs::write(&file, text).unwrap();
        file
    });
    let files: Vec<_> = files.collect();
    IdentityProvider::read_all(&files).unwrap()
}

/// Makes a provider know the registry.
pub fn know(provider: &OidcProvider, name: &str) {
    provider.client(
        "registry",
        &json!({ "client_secret": "a secret of the client", "redirect_uris": [format!("{BASE_URL}/sign-in/from/{name}")] }),
    );
}

/// The URL that an answer leads to, at the provider.
pub fn away(answer: Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// Comes back from the provider.
pub fn come_back(browser: &mut Browser<'_>, url: &str) -> Answer {
    browser.get(url.strip_prefix(BASE_URL).unwrap_or_else(|| panic!("{url} is not of this registry")))
}

/// The place that an answer leads to.
pub fn place(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.headers["location"].to_str().unwrap()
}

/// Somebody's link to sign in with.
pub fn link(registry: &TestRegistry, login: &str) -> String {
    let secret = registry.pool.with(|connection| {
        let user = users::find(connection, login).unwrap();
        let user = user.unwrap_or_else(|| users::create(connection, login, None).unwrap());
        one_time::create(connection, user.id, chrono::Utc::now() + chrono::TimeDelta::days(1)).unwrap()
    });
    format!("/sign-in/link?code={}", secret.unwrap().reveal())
}

/// Sends a form of a page to a path, with these fields besides the one of all forms of this page.
pub fn send(browser: &mut Browser<'_>, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let html = browser.get(page).good().text();
    let (_, content) = html.split_once("<main").unwrap();
    let form_token = field(content, "form_token");
    let own = [("form_token", form_token.as_str())];
    browser.post(path, &[&own, fields].concat())
}

/// Sets a password with a link, in a new browser.
pub fn set_password<'a>(registry: &'a TestRegistry, login: &str, password: &str) -> Browser<'a> {
    let (mut browser, link) = (Browser::new(registry), link(registry, login));
    let code = link.split_once('=').unwrap().1.to_owned();
    let fields = [("code", code.as_str()), ("password", password), ("repeated", password)];
    assert_eq!(place(&send(&mut browser, &link, "/sign-in/link", &fields)), "/me");
    browser
}

/// What the audit log has of these kinds, newest first: action, actor, subject.
pub fn logged(registry: &TestRegistry, actions: &[&str]) -> Vec<String> {
    let entries: Value = registry.admin("auditing-admin").get("/api/v1/admin/audit?per_page=100").good().json();
    let entries = entries["entries"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    entries
        .filter(|entry| actions.contains(&entry["action"].as_str().unwrap()))
        .map(|entry| format!("{} by {} of {}", text(&entry["action"]), text(&entry["actor"]), text(&entry["subject"])))
        .collect()
}
