//! `cargo login` by the credential provider, with the real cargo and the real program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::support::cargo::Cargo;
use crate::support::process::Served;
use crate::support::tls::Authority;

const PASSWORD: &str = "correct horse battery staple";
const PROVIDER: &str = env!("CARGO_BIN_EXE_cargo-credential-supercargo");

/// Somebody at the pages of a served registry.
struct Person {
    agent: ureq::Agent,
    url: String,
    cookies: Vec<(String, String)>,
}

impl Person {
    /// Signs in with a link.
    fn new(served: &Served, login: &str) -> Self {
        let config =
            ureq::Agent::config_builder().max_redirects(0).max_redirects_will_error(false).http_status_as_error(false);
        let mut person = Self { agent: config.build().into(), url: served.url.clone(), cookies: Vec::new() };
        let link = served.run("admin user sign-in-link", &[login, "--create"]);
        let path = link.trim().strip_prefix(&served.url).unwrap().to_owned();
        let code = path.split_once("code=").unwrap().1.to_owned();
        let form_token = person.form_token(&path);
        let fields = [("form_token", &*form_token), ("code", &code), ("password", PASSWORD), ("repeated", PASSWORD)];
        person.post("/sign-in/link", &fields);
        person
    }

    fn form_token(&mut self, path: &str) -> String {
        let html = self.get(path);
        let main = html.split_once("<main").unwrap().1;
        crate::pages::field(main, "form_token")
    }

    fn get(&mut self, path: &str) -> String {
        let request =
            self.agent.get(format!("{}{path}", self.url)).header("accept", "text/html").header("cookie", self.pairs());
        let mut answer = request.call().unwrap();
        self.keep(answer.headers());
        answer.body_mut().read_to_string().unwrap()
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let request =
            self.agent.post(format!("{}{path}", self.url)).header("accept", "text/html").header("cookie", self.pairs());
        let mut answer = request.send_form(fields.iter().copied()).unwrap();
        self.keep(answer.headers());
        answer.body_mut().read_to_string().unwrap()
    }

    fn pairs(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, headers: &ureq::http::HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            self.cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
        }
    }

    /// Decides the request whose page is at a URL.
    fn decide(&mut self, page: &str, decision: &str) {
        let path = page.strip_prefix(&self.url).unwrap_or_else(|| panic!("{page}"));
        let code = path.split_once("user_code=").unwrap().1.to_owned();
        let form_token = self.form_token(path);
        self.post("/oauth/device", &[("form_token", &form_token), ("user_code", &code), ("decision", decision)]);
    }
}

/// Cargo with the provider.
fn cargo(served: &Served, more: &str) -> Cargo {
    let mut cargo = Cargo::new(&format!("sparse+{}/index/", served.url), "");
    cargo.leave_out_the_token();
    let config = std::fs::read_to_string(cargo.path("home/config.toml")).unwrap();
    let provider = format!("credential-provider = [{PROVIDER:?}{more}]\n[registry]");
    std::fs::write(cargo.path("home/config.toml"), config.replace("[registry]", &provider)).unwrap();
    cargo
}

/// Begins `cargo login`, and returns it with the page that it shows.
#[expect(clippy::zombie_processes, reason = "the caller waits for it")]
fn begin(cargo: &Cargo) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut command = cargo.command(".", &["login", "--registry", "supercargo"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "cargo has ended: {said}");
        if line.contains("/oauth/device?user_code=") {
            return (child, output, line.trim().to_owned());
        }
        said += &line;
    }
}

fn log_in(cargo: &Cargo, person: &mut Person) {
    let (mut child, output, page) = begin(cargo);
    person.decide(&page, "allow");
    let said: Vec<_> = output.lines().map_while(Result::ok).collect();
    assert!(child.wait().unwrap().success(), "{said:?}");
}

#[test]
fn cargo_logs_in_publishes_renews_and_logs_out() {
    for arguments in [&[][..], &["--auth-required"]] {
        let served = Served::start(arguments);
        let mut ann = Person::new(&served, "ann");
        let cargo = cargo(&served, "");
        cargo.library("demo", "1.0.0", "", "");
        let before = cargo.bad("demo", &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"]);
        assert!(before.contains("no token found for `supercargo`"), "{before}");
        log_in(&cargo, &mut ann);
        cargo.publish("demo");
        // The token has expired, and is renewed without anybody.
        let file = cargo.path("home/supercargo-credentials.json");
        let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let entry = kept.as_object_mut().unwrap().values_mut().next().unwrap();
        let first = entry["token"].as_str().unwrap().to_owned();
        entry["expires_at"] = 0.into();
        std::fs::write(&file, kept.to_string()).unwrap();
        cargo.good("demo", &["yank", "--registry", "supercargo", "--version", "1.0.0"]);
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(!kept.contains(&first), "{kept}");
        cargo.binary(
            "dependent",
            "[dependencies]\ndemo = { version = \"1\", registry = \"supercargo\" }\n",
            "fn main() {}",
        );
        cargo.good("demo", &["yank", "--undo", "--registry", "supercargo", "--version", "1.0.0"]);
        cargo.good("dependent", &["build"]);
        // Logging out revokes it.
        let token = serde_json::from_str::<serde_json::Value>(&kept).unwrap();
        let token = token.as_object().unwrap().values().next().unwrap()["token"].as_str().unwrap().to_owned();
        cargo.good(".", &["logout", "--registry", "supercargo"]);
        let refused = crate::support::http::get_as(&format!("{}/api/v1/me", served.url), &token);
        assert!(refused.text().contains("unknown to this registry or was revoked"), "{}", refused.text());
        cargo.bad("demo", &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"]);
    }
}

#[test]
fn what_is_denied_and_what_is_wrong_is_said() {
    let served = Served::start(&["--no-worker"]);
    let mut ann = Person::new(&served, "ann");
    let cargo_with = |more: &str| cargo(&served, more);
    let denied = cargo_with("");
    let (mut child, output, page) = begin(&denied);
    ann.decide(&page, "deny");
    let said = output.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n");
    assert!(!child.wait().unwrap().success() && said.contains("the user has denied it"), "{said}");
    for (more, problem) in [
        (", \"--scope\", \"own\"", "is not a scope"),
        (", \"--scope\"", "needs a value"),
        (", \"--token\"", "is no argument of cargo-credential-supercargo"),
    ] {
        let said = cargo_with(more).bad(".", &["login", "--registry", "supercargo"]);
        assert!(said.contains(problem), "{said}");
    }
}

/// The authority of a company, which only cargo's configuration names.
#[test]
fn the_provider_trusts_the_authorities_that_cargo_trusts() {
    let authority = Authority::new();
    let arguments = authority.arguments();
    let served = Served::start(&arguments.each_ref().map(String::as_str));
    assert!(served.url.starts_with("https://"));
    let cargo = cargo(&served, "");
    let log_in = |variable: Option<&str>| {
        let mut command = cargo.command(".", &["login", "--registry", "supercargo"]);
        if let Some(file) = variable {
            command.env("CARGO_HTTP_CAINFO", file);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        for line in output.lines().map_while(Result::ok) {
            said += &line;
            if line.contains("/oauth/device?user_code=") {
                break;
            }
        }
        let _ = child.kill();
        child.wait().unwrap();
        said
    };
    let unknown = log_in(None);
    assert!(!unknown.contains("user_code=") && unknown.contains("certificate"), "{unknown}");
    let certificate = authority.certificate();
    assert!(log_in(Some(certificate.to_str().unwrap())).contains("user_code="));
    let config = std::fs::read_to_string(cargo.path("home/config.toml")).unwrap();
    std::fs::write(cargo.path("home/config.toml"), format!("{config}\n[http]\ncainfo = {certificate:?}\n")).unwrap();
    assert!(log_in(None).contains("user_code="));
    let empty = log_in(Some("/dev/null"));
    assert!(empty.contains("http.cainfo, /dev/null: it has no certificate in the format PEM"), "{empty}");
}
