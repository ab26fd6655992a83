//! Signing in at an identity provider, and what follows, as somebody does it. The provider is another site: a browser sends no cookies
//! with what it leads to.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::Browser;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::nginx::Port;
use crate::support::oidc_provider::{OidcProvider, Setup};
use crate::support::package::Package;
use crate::support::process::Served;

/// A registry at 127.0.0.2 with a provider at 127.0.0.1: each address is a site of its own.
struct Site {
    provider: OidcProvider,
    served: Served,
    _files: tempfile::TempDir,
    _port: Port,
}

impl Site {
    fn start() -> Self {
        let provider = OidcProvider::start(Setup::default());
        let files = tempfile::tempdir().unwrap();
        let secret = files.path().join("secret");
        std::fs::write(&secret, "a secret of the client").unwrap();
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        let file = files.path().join("acme.toml");
        let text = format!(
            "name = \"acme\"\ntitle = \"Acme\"\nissuer = \"{}\"\nclient-id = \"registry\"\nclient-secret-file = \"secret\"\n\
             scopes = [\"profile\", \"groups\"]\nnew-users = \"create\"\n[teams]\nrust = \"devs\"\n",
            provider.issuer()
        );
        std::fs::write(&file, text).unwrap();
        let port = Port::free();
        let url = format!("http://127.0.0.2:{}", port.number);
        let listen = format!("127.0.0.2:{}", port.number);
        let served =
            Served::start(&["--identity-provider", file.to_str().unwrap(), "--listen", &listen, "--public-url", &url]);
        let redirect = format!("{url}/sign-in/from/acme");
        provider.client("registry", &json!({ "client_secret": "a secret of the client", "redirect_uris": [redirect] }));
        provider.account("1", &json!({ "preferred_username": "ann", "name": "Ann Example", "groups": ["rust"] }));
        Self { provider, served, _files: files, _port: port }
    }

    /// Signs in at the page of the provider.
    fn at_the_provider(&self, browser: &Browser) {
        let issuer = self.provider.issuer();
        wait_until("the page of the provider", || browser.path().starts_with(issuer));
        browser.type_into("[name=login]", "1");
        browser.click("button:not([name])");
    }
}

#[test]
fn a_new_user_signs_in_creates_a_token_publishes_approves_and_signs_out() {
    let site = Site::start();
    let browser = Browser::start(&site.served.url);
    browser.open("/me");
    browser.click("main a.button[href^='/sign-in']");
    browser.click("main a[href^='/sign-in/with/acme']");
    site.at_the_provider(&browser);
    browser.wait_for_path("/me");
    wait_until("the session", || browser.has(".out button"));
    assert!(
        browser.text("main").contains("Ann Example") && browser.text("main").contains("devs"),
        "{}",
        browser.text("main")
    );
    assert_eq!(browser.script("return document.cookie", []), "");

    browser.click("main a[href='/me/tokens/new']");
    browser.type_into("#name", "laptop");
    browser.click("[name=everything]");
    browser.click("main form button[type=submit]");
    browser.wait_for_text("h1", "The token laptop");
    let token = browser.text("pre");
    let token = token.trim();
    assert!(token.starts_with("sct_") && token.len() == 68, "{token}");
    http::publish(&site.served.url, token, &Package::new("harbor", "1.0.0")).good();
    http::publish(&format!("{}/stage/spring", site.served.url), token, &Package::new("harbor", "1.1.0")).good();

    browser.open("/release-sets/spring");
    browser.click("form[action$='/approve'] button");
    browser.wait_for_text("h1", "approved");
    browser.open("/crates/harbor");
    assert!(browser.text("main").contains("1.1.0"));
    browser.click("a[href='/crates/harbor/settings']");
    browser.wait_for_text("h1", "Settings of harbor");

    browser.click(".out button");
    wait_until("the end of the session", || !browser.has(".out button"));
    browser.open("/me");
    assert!(browser.has("main a.button[href^='/sign-in']"));
}

#[test]
fn what_is_dangerous_asks_the_provider_again_and_leads_back() {
    let site = Site::start();
    let browser = Browser::start(&site.served.url);
    browser.open("/sign-in/with/acme?to=/me");
    site.at_the_provider(&browser);
    wait_until("the session", || browser.path() == "/me" && browser.has(".out button"));
    let pass = "UPDATE web_sessions SET proven_at = proven_at - interval '11 minutes'";
    let mut connection = site.served.database.connect();
    diesel::RunQueryDsl::execute(diesel::sql_query(pass), &mut connection).unwrap();
    browser.click("main a[href='/me/tokens/new']");
    browser.wait_for_text("h1", "Confirm that it is you");
    browser.click("main a.button");
    // A session is there, and does not suffice.
    site.at_the_provider(&browser);
    wait_until("the form", || browser.path() == "/me/tokens/new" && browser.has("#name"));
}

#[test]
fn without_script_it_works_as_well() {
    let site = Site::start();
    let browser = Browser::start_without_script(&site.served.url);
    browser.open("/sign-in/with/acme?to=/me");
    wait_until("the page of the provider", || browser.has("[name=login]"));
    browser.type_into("[name=login]", "1");
    browser.click("button:not([name])");
    wait_until("the session", || browser.has(".out button"));
    assert_eq!(browser.text("h1"), "ann");
}
