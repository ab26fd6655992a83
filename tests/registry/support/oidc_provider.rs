//! A real OpenID Connect provider: the certified `oidc-provider`, which runs in node.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use url::Url;

use super::nginx::Port;
use super::node_packages::{self, MISSING};

/// What a provider does from its start on.
pub struct Setup {
    /// Whether ID tokens have the claims of the scopes. If not, only the userinfo endpoint has them.
    pub id_token_has_claims: bool,
    /// Of ID tokens: `RS256`, `PS256`, `ES256` or `EdDSA`.
    pub algorithm: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self { id_token_has_claims: false, algorithm: "RS256" }
    }
}

/// The provider on loopback, stopped at the end. It requires PKCE, has the scopes `openid profile email groups`, and
/// asks nobody for consent.
pub struct OidcProvider {
    directory: tempfile::TempDir,
    /// Held, or somebody else could get it while the provider is away.
    port: Port,
    issuer: String,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl OidcProvider {
    pub fn start(setup: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = Port::free();
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/support/oidc_provider/server.mjs"));
        command.arg(node_packages::of("oidc_provider")).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(directory.path().join("errors")).unwrap());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("node does not start ({error}): {MISSING}"));
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let issuer = format!("http://127.0.0.1:{}", port.number);
        let mut provider = Self { directory, issuer, process, input, output, port };
        let configuration = json!({
            "port": provider.port.number,
            "algorithm": setup.algorithm,
            "id_token_has_claims": setup.id_token_has_claims,
        });
        provider.say(&configuration.to_string());
        provider
    }

    /// Its URL, without a slash at the end.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Has a client with this metadata, as RFC 7591 names it: `client_secret`, `redirect_uris`,
    /// `token_endpoint_auth_method` and others. Replaces the one it had.
    pub fn client(&self, id: &str, metadata: &Value) {
        self.control("PUT", &["clients", id], Some(metadata));
    }

    /// Has somebody with these claims, who signs in with the subject. Replaces what it had.
    pub fn account(&self, subject: &str, claims: &Value) {
        self.control("PUT", &["accounts", subject], Some(claims));
    }

    /// Has them no longer; their sessions and tokens end.
    pub fn remove_account(&self, subject: &str) {
        self.control("DELETE", &["accounts", subject], None);
    }

    /// Signs with a new key from now on, and publishes no other.
    pub fn rotate_keys(&self) {
        self.control("POST", &["rotate"], Some(&json!({})));
    }

    /// Its clock is wrong by so many seconds.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.control("POST", &["skew"], Some(&json!({ "seconds": seconds })));
    }

    /// How often a path was asked for, such as `/jwks`, `/token`, `/me` or `/.well-known/openid-configuration`.
    pub fn requests(&self, path: &str) -> u64 {
        self.control("GET", &["requests"], None)[path].as_u64().unwrap_or_default()
    }

    /// What it logged of errors.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("errors")).unwrap()
    }

    /// Closes its port and all connections. It keeps its port, its keys, and who is signed in.
    pub fn stop(&mut self) {
        self.say("away");
    }

    /// Listens again after [`OidcProvider::stop`].
    pub fn start_again(&mut self) {
        self.say("back");
    }

    /// Follows an authorization URL as a browser does, signs in with this subject if the provider asks who it is, and
    /// answers the URL at the client to which the provider redirects.
    pub fn sign_in(&self, browser: &mut ProviderCookies, authorization_url: &str, subject: &str) -> String {
        match self.visit(browser, authorization_url) {
            End::Callback(url) => url,
            End::SignIn(page) => {
                self.submit(browser, page, [("login", subject.to_owned()), ("password", "any".to_owned())].into())
            }
        }
    }

    /// The same if somebody is signed in at the provider already; None if it asks who they are.
    pub fn answer_at_once(&self, browser: &mut ProviderCookies, authorization_url: &str) -> Option<String> {
        match self.visit(browser, authorization_url) {
            End::Callback(url) => Some(url),
            End::SignIn(_) => None,
        }
    }

    /// The same, and refuses to sign in.
    pub fn refuse(&self, browser: &mut ProviderCookies, authorization_url: &str) -> String {
        match self.visit(browser, authorization_url) {
            End::Callback(url) => panic!("it does not ask who somebody is: {url}"),
            End::SignIn(page) => self.submit(browser, page, [("refuse", "yes".to_owned())].into()),
        }
    }

    fn visit(&self, browser: &mut ProviderCookies, url: &str) -> End {
        let url = Url::parse(url).unwrap();
        assert!(self.is_here(&url), "{url} is not at {}", self.issuer);
        self.follow(browser, url, None)
    }

    fn submit(&self, browser: &mut ProviderCookies, page: Url, form: Form) -> String {
        match self.follow(browser, page, Some(form)) {
            End::Callback(url) => url,
            End::SignIn(page) => panic!("it asks again who somebody is: {page}"),
        }
    }

    /// Follows redirects until they lead away, or to the page on which somebody signs in.
    fn follow(&self, browser: &mut ProviderCookies, mut url: Url, mut form: Option<Form>) -> End {
        for _ in 0..10 {
            let cookies = browser.sent_to(url.path());
            let answer = match form.take() {
                None => agent().get(url.as_str()).header("cookie", cookies).call(),
                Some(form) => agent().post(url.as_str()).header("cookie", cookies).send_form(form),
            };
            let mut answer = answer.unwrap();
            browser.keep(answer.headers());
            let location = answer.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
            let Some(location) = location else {
                let page = answer.body_mut().read_to_string().unwrap();
                assert_eq!(answer.status(), 200, "{url}: {page}\n{}", self.log());
                // Another account that was signed in before is signed out.
                if let Some((_, rest)) = page.split_once("name=\"xsrf\" value=\"") {
                    let secret = rest.split('"').next().unwrap().to_owned();
                    url = url.join("/session/end/confirm").unwrap();
                    form = Some([("xsrf", secret), ("logout", "yes".to_owned())].into());
                    continue;
                }
                assert!(page.contains("name=\"login\"") && !page.contains("role=\"alert\""), "{url}: {page}");
                return End::SignIn(url);
            };
            url = url.join(&location).unwrap();
            if !self.is_here(&url) {
                return End::Callback(url.into());
            }
        }
        panic!("too many redirects: {url}");
    }

    fn is_here(&self, url: &Url) -> bool {
        url.origin().ascii_serialization() == self.issuer
    }

    /// Changes or asks something below `/_test/`, see `server.mjs`.
    fn control(&self, method: &str, place: &[&str], body: Option<&Value>) -> Value {
        let mut url = Url::parse(&self.issuer).unwrap();
        url.path_segments_mut().unwrap().clear().push("_test").extend(place);
        let request = ureq::http::Request::builder().method(method).uri(url.as_str());
        let answer = match body {
            Some(body) => agent().run(request.body(body.to_string()).unwrap()),
            None => agent().run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{method} {url}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends a line and waits for the one that answers it.
    fn say(&mut self, line: &str) {
        // A process that ended takes no line, and answers none.
        let _ = writeln!(self.input, "{line}");
        let mut answer = String::new();
        if self.output.read_line(&mut answer).unwrap() == 0 {
            panic!("the provider ended: {}\n{}", self.process.wait().unwrap(), self.log());
        }
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What is filled in.
type Form = Vec<(&'static str, String)>;

/// Where redirects lead.
enum End {
    /// To the client.
    Callback(String),
    /// To the page of the provider on which somebody signs in.
    SignIn(Url),
}

/// The cookies of a provider in one browser, by path and name.
#[derive(Default)]
pub struct ProviderCookies(BTreeMap<(String, String), String>);

impl ProviderCookies {
    fn sent_to(&self, path: &str) -> String {
        let sent = self.0.iter().filter(|((place, _), _)| path.starts_with(place.as_str()));
        sent.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, headers: &ureq::http::HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let mut parts =
                cookie.to_str().unwrap().split(';').map(|part| part.trim().split_once('=').unwrap_or((part, "")));
            let (name, value) = parts.next().unwrap();
            let path =
                parts.find(|(attribute, _)| attribute.eq_ignore_ascii_case("path")).map_or("/", |(_, path)| path);
            let key = (path.to_owned(), name.to_owned());
            // An empty one is one that is removed.
            if value.is_empty() {
                self.0.remove(&key);
            } else {
                self.0.insert(key, value.to_owned());
            }
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build().into()
}
