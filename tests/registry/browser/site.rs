//! A registry with crates of all kinds, as a team would have them.

use chrono::{Days, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::{Value, json};
use supercargo::database::catalog::downloads::{self, OfDay};
use supercargo::database::schema::{crates, versions};
use supercargo::queue::inspection::{self, Selection};

use super::site_text::{CLIENT, ICON, LIB, README, SMALL, changed_client};
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// The registry, and tokens of its users.
pub struct Site {
    pub served: Served,
    /// Owns the crates.
    pub ann: String,
    /// An admin.
    pub root: String,
}

/// The longest name that a crate may have.
pub const LONG_NAME: &str = "a-crate-with-the-longest-name-that-a-registry-lets-people-choose";

/// Crates whose only version is not in the index: its job waits, or is dead.
pub const LATE: &str = "late-riser";
pub const LOST: &str = "castaway";

/// The open release set.
pub const SET: &str = "spring-2.0";

impl Site {
    pub fn public() -> Self {
        Self::start(&[])
    }

    /// Starts `serve` with these arguments and fills the registry.
    pub fn start(arguments: &[&str]) -> Self {
        let served = Served::start(
            &[
                arguments,
                &["--publish-wait", "0s", "--smtp-url", "smtp://127.0.0.1:9", "--email-from", "crates@example.com"],
                &["--upstream", "crates-io", "--cooldown", "3days"],
            ]
            .concat(),
        );
        let ann = served.token("ann");
        served.run("admin user create", &["root", "--admin"]);
        let root = served.token("root");
        let site = Self { served, ann, root };
        site.hold_up_jobs();
        for package in packages(&site.served.url) {
            site.publish(&package);
        }
        let mut connection = site.served.database.connect();
        wait_until("a job that waits and one that is dead", || inspection::count(&mut connection).unwrap() == (1, 1));
        let yank = json!({"version": {"yanked": true, "yank_message": "Drops requests that time out: use 1.1.1"}});
        http::patch_json_as(&format!("{}/api/v1/crates/harbor/1.1.0", site.served.url), &site.ann, &yank).good();
        site.stage_a_release();
        site.add_a_webhook();
        site.served.run("admin team create", &["crew"]);
        site.served.run("admin team add-member", &["crew", "ann"]);
        site.served
            .run("admin crate reserve", &["harbor-master", "--reason", "Of <the> harbor, and <b>nobody</b> else"]);
        for (decision, about) in [("allow", "tide-chart@1.2.0"), ("block", "harbor-lights")] {
            let reason = "Of <the> harbor, and <b>nobody</b> else";
            site.served.run(&format!("upstream {decision}"), &["crates-io", about, "--reason", reason]);
        }
        site.add_invitations();
        site.served.wait_until_described();
        site.served.wait_until_analysed();
        site.let_time_pass();
        site
    }

    /// Makes the job of one crate wait, and that of another fail permanently.
    fn hold_up_jobs(&self) {
        let trigger = format!(
            "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.key LIKE '%{LATE}' THEN NEW.run_at := now() + interval '1 day'; END IF;
                 IF NEW.key LIKE '%{LOST}' THEN
                     NEW.payload := NEW.payload || '{{\"num\": 5}}';
                     NEW.attempts := 19;
                 END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER hold_up BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION hold_up()"
        );
        self.served.database.connect().batch_execute(&trigger).unwrap();
    }

    /// An open release set with a rule that it does not fulfil yet, and a rejected one.
    fn stage_a_release(&self) {
        let url = &self.served.url;
        let mut release = harbor(url, 4, "2.0.0");
        release.files.push(("src/tide.rs".into(), b"pub unsafe fn tide() {}\n".to_vec()));
        for (set, package) in [
            (SET, release),
            (SET, Package::new("harbor-tides", "0.1.0").described("When to leave the harbor")),
            ("autumn", Package::new("harbor-buoys", "0.0.9")),
        ] {
            http::publish(&format!("{url}/stage/{set}"), &self.ann, &package).good();
        }
        let api = format!("{url}/api/v1/release-sets");
        http::patch_json_as(
            &format!("{api}/{SET}"),
            &self.ann,
            &json!({"title": "harbor 2.0: <no> more retries by default"}),
        )
        .good();
        http::delete_as(&format!("{url}/stage/{SET}/api/v1/crates/harbor/1.0.0/yank"), &self.ann).good();
        self.served.run("set rule add", &["harbor-tides", "--approvals", "2", "--by-another"]);
        self.served.run("set reject", &["autumn", "--reason", "It lacks its licence file"]);
    }

    /// A paused webhook of a crate, the first one, with deliveries that were made and one that waits. It has no jobs.
    fn add_a_webhook(&self) {
        let added = "INSERT INTO webhooks (url, description, crate_id, events, secret, created_by, paused_at, paused_by, pause_reason)
                     SELECT 'https://chat.example/hooks/0123456789abcdef', 'Releases <#harbor>', crates.id, '{version.*,owner.*}',
                            decode(repeat('00', 32), 'hex'), users.id, now() - interval '1 hour', 'ann', 'The chat is being moved'
                     FROM crates, users WHERE crates.name = 'harbor' AND users.login = 'ann';
                     INSERT INTO webhook_events (type, body, happened_at)
                     SELECT 'version.yanked', '{\"type\":\"version.yanked\",\"data\":{\"crate\":\"harbor\",\"version\":\"1.1.0\"}}',
                            now() - interval '3 hours' + n * interval '1 hour'
                     FROM generate_series(0, 2) AS n;
                     INSERT INTO webhook_deliveries (webhook_id, event_id, delivered_at, status, took_ms)
                     SELECT webhooks.id, event.id, event.happened_at + interval '1 second', 204, 12
                     FROM webhooks, webhook_events AS event ORDER BY event.id;
                     UPDATE webhook_deliveries SET delivered_at = NULL, status = NULL, took_ms = NULL
                     WHERE id = (SELECT max(id) FROM webhook_deliveries)";
        self.served.database.connect().batch_execute(added).unwrap();
    }

    /// An invitation of ann, and one to a crate of ann.
    fn add_invitations(&self) {
        let added = "INSERT INTO owner_invitations (crate_id, user_id, invited_by, expires_at)
                     SELECT crates.id, users.id, inviters.id, now() + interval '20 days'
                     FROM crates, users, users AS inviters
                     WHERE (crates.name, users.login, inviters.login) = ('harbor', 'root', 'ann')
                        OR (crates.id, users.login, inviters.login) = ((SELECT max(id) FROM crates), 'ann', 'root')";
        self.served.database.connect().batch_execute(added).unwrap();
    }

    pub fn dead_job(&self) -> i64 {
        let dead = inspection::list(&mut self.served.database.connect(), Selection::Dead, 10).unwrap();
        dead[0].id
    }

    /// Lets a retry of the dead job succeed.
    pub fn heal_the_dead_job(&self) {
        // The trigger would spoil the job once more.
        let healed = "DROP TRIGGER hold_up ON jobs;
                      UPDATE dead_jobs SET payload = payload || '{\"num\": \"1.0.0\"}'";
        self.served.database.connect().batch_execute(healed).unwrap();
    }

    pub fn publish(&self, package: &Package) {
        http::publish(&self.served.url, &self.ann, package).good();
    }

    /// As if the crates had been published over the last year, and downloaded.
    fn let_time_pass(&self) {
        let mut connection = self.served.database.connect();
        connection
            .batch_execute(
                "UPDATE versions SET created_at = now() - interval '200 days' + id * interval '4 days' - id * id * interval '7 minutes';
                 UPDATE crates SET created_at = (SELECT min(created_at) FROM versions WHERE crate_id = crates.id),
                                   updated_at = (SELECT max(created_at) FROM versions WHERE crate_id = crates.id)",
            )
            .unwrap();
        let all: Vec<(i32, String, String)> = versions::table
            .inner_join(crates::table)
            .select((versions::id, crates::name, versions::num))
            .load(&mut connection)
            .unwrap();
        let today = Utc::now().date_naive();
        let mut counted = Vec::new();
        for (version_id, name, num) in all {
            for ago in 0..90 {
                let downloads = downloads_on(&name, &num, ago);
                if downloads > 0 {
                    counted.push(OfDay { version_id, day: today - Days::new(ago), downloads });
                }
            }
        }
        downloads::add(&mut connection, &counted).unwrap();
    }
}

/// A newer version takes over from the one before, and there are fewer at weekends.
fn downloads_on(name: &str, num: &str, ago: u64) -> i64 {
    let day = 90 - i64::try_from(ago).unwrap();
    let weekly = [10, 11, 12, 11, 9, 3, 2][usize::try_from(ago).unwrap() % 7];
    let share = match (name, num) {
        ("harbor", "1.0.0") => 60 - day,
        ("harbor", "1.1.1") => day.min(100 - day),
        ("harbor", "1.2.0") => day - 35,
        ("harbor", "2.0.0-rc.1") => (day - 70) / 4,
        ("harbor", _) => 0,
        (other, _) => i64::try_from(other.len()).unwrap() * 5 % 37 - 4,
    };
    share.max(0) * weekly
}

fn packages(url: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = SMALL.iter().map(small_package).collect();
    packages
        .push(Package::new(LONG_NAME, "123456.123456.123456-alpha.with.a.long.name+and.build.metadata.that.is.long"));
    packages.push(macros());
    for (place, num) in ["1.0.0", "1.1.0", "1.1.1", "1.2.0", "2.0.0-rc.1"].into_iter().enumerate() {
        packages.push(harbor(url, place, num));
    }
    packages.push(cli(url));
    packages.extend([LATE, LOST].map(|name| Package::new(name, "1.0.0")));
    packages
}

fn small_package(&(name, description, keyword, category): &(&str, &str, &str, &str)) -> Package {
    let manifest = format!("keywords = [\"{keyword}\"]\ncategories = [\"{category}\"]\n");
    Package::new(name, "0.3.1")
        .described(description)
        .manifest(&manifest)
        .metadata("keywords", json!([keyword]))
        .metadata("categories", json!([category]))
}

fn macros() -> Package {
    Package::new("harbor-macros", "1.0.0")
        .described("Derive macros for harbor")
        .manifest("\n[lib]\nproc-macro = true\n")
}

/// Manifest lines and metadata of a dependency.
fn dependency(url: Option<&str>, name: &str, req: &str, kind: &str, optional: bool) -> (String, Value) {
    let table = if kind == "dev" { "dev-dependencies" } else { "dependencies" };
    let here = url.map(|url| format!("registry-index = \"sparse+{url}/index/\"\n")).unwrap_or_default();
    let lines = format!("\n[{table}.{name}]\nversion = \"{req}\"\n{here}optional = {optional}\n");
    let registry = if url.is_some() { Value::Null } else { "https://github.com/rust-lang/crates.io-index".into() };
    let metadata = json!({
        "name": name, "version_req": req, "features": [], "optional": optional, "default_features": true, "target": null,
        "kind": kind, "registry": registry, "explicit_name_in_toml": null,
    });
    (lines, metadata)
}

/// The crate that most pages are about; `place` is that of its version.
fn harbor(url: &str, place: usize, num: &str) -> Package {
    let mut features = json!({
        "default": ["retry", "tls"], "retry": [], "tls": ["dep:rustls"], "json": ["dep:serde", "dep:serde_json"],
    });
    if place >= 3 {
        features["compression"] = json!(["gzip", "brotli"]);
        features["gzip"] = json!([]);
        features["brotli"] = json!([]);
    }
    let mut dependencies = vec![
        dependency(Some(url), "harbor-macros", "^1.0", "normal", false),
        dependency(None, "tokio", "^1.47", "normal", false),
        dependency(None, "rustls", "^0.23", "normal", true),
        dependency(None, "serde", "^1", "normal", true),
        dependency(None, "serde_json", "^1", "normal", true),
        dependency(None, "tempfile", "^3", "dev", false),
    ];
    if place >= 3 {
        dependencies.push(dependency(None, "tracing", "^0.1.41", "normal", false));
    }
    let description = "An HTTP client with retries, timeouts and connection pooling for services that have to answer";
    let about = "rust-version = \"1.85\"\nhomepage = \"https://harbor.example\"\n\
                 repository = \"https://github.com/example/harbor\"\ndocumentation = \"https://docs.example/harbor\"\n\
                 keywords = [\"http\", \"client\", \"retry\"]\ncategories = [\"network-programming\", \"asynchronous\"]\n\
                 readme = \"README.md\"\nbuild = \"build.rs\"\n";
    let mut manifest = format!("{about}\n[features]\n");
    for (name, enables) in features.as_object().unwrap() {
        manifest.push_str(&format!("{name} = {enables}\n"));
    }
    dependencies.iter().for_each(|(lines, _)| manifest.push_str(lines));
    let client = if place >= 3 { changed_client() } else { CLIENT.to_owned() };
    let mut package = Package::new("harbor", num)
        .described(description)
        .manifest(&manifest)
        .metadata("features", features)
        .metadata("deps", dependencies.into_iter().map(|(_, metadata)| metadata).collect())
        .metadata("rust_version", "1.85".into())
        .metadata("homepage", "https://harbor.example".into())
        .metadata("repository", "https://github.com/example/harbor".into())
        .metadata("documentation", "https://docs.example/harbor".into())
        .metadata("keywords", json!(["http", "client", "retry"]))
        .metadata("categories", json!(["network-programming", "asynchronous"]))
        .metadata("readme", README.into())
        .metadata("readme_file", "README.md".into())
        .file("README.md", README.as_bytes())
        .file("build.rs", b"fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n}\n")
        .file("src/client.rs", client.as_bytes())
        .file("src/pool/mod.rs", b"//! Connections that are kept.\n\npub struct Pool;\n")
        .file("assets/harbor.svg", ICON.as_bytes())
        .file("tests/data/answer.bin", &[0, 159, 146, 150, 0, 1, 2, 3])
        .file("Cargo.toml.orig", b"[package]\nname = \"harbor\"\nversion.workspace = true\n\n[dependencies]\ntokio = \"1.47\"\n")
        .file(".cargo_vcs_info.json", b"{\n  \"git\": {\n    \"sha1\": \"8a5f6c0e2b1d4f3a9c7e5b3d1f0a2c4e6b8d0f1a\"\n  },\n  \"path_in_vcs\": \"\"\n}\n");
    package.files[0].1 = LIB.into();
    if place >= 3 {
        // Longer than what a page of differences shows at once.
        let table: String = (0..2_500).map(|code| format!("    ({code}, \"reason {code}\"),\n")).collect();
        package =
            package.file("src/reasons.rs", format!("pub const REASONS: &[(u16, &str)] = &[\n{table}];\n").as_bytes());
    }
    package
}

fn cli(url: &str) -> Package {
    let (lines, metadata) = dependency(Some(url), "harbor", "^1", "normal", false);
    let mut package = Package::new("harbor-cli", "1.2.0")
        .described("Sends requests from the command line")
        .manifest(&lines)
        .metadata("deps", json!([metadata]));
    package.files = vec![("src/main.rs".to_owned(), b"fn main() {}\n".to_vec())];
    package
}
