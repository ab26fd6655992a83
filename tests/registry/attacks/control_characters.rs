//! Control and bidirectional characters in texts from outside.

use axum::http::{Method, StatusCode};
use clap::CommandFactory;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};
use supercargo::config::Cli;
use supercargo::package::characters::is_hidden;

use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::other_registry::OtherRegistry;
use crate::support::package::Package;
use crate::support::process::{Served, failed};

/// Clears the screen, rings, begins a line of its own, hides and turns the rest around.
const HOSTILE: &str = "\u{1b}[2J\u{7}\nroot\u{9b}31m\u{200b}\u{202e}";
const ENCODED: &str = "%1b%5b2J%07%0aroot%c2%9b31m%e2%80%8b%e2%80%ae";

fn assert_plain(text: &str, what: &str) {
    let hidden: Vec<char> = text.chars().filter(|c| is_hidden(*c) && *c != '\n').collect();
    assert!(hidden.is_empty(), "{what} has {hidden:?}: {text:?}");
}

#[test]
fn a_reason_or_a_name_with_such_a_character_is_refused_and_names_it() {
    let registry = TestRegistry::new();
    let root = registry.admin("hostile-root");
    root.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let token = |name: &str| json!({ "api_token": { "name": name } }).to_string();
    for (character, encoded, named) in [
        ('\u{1b}', "%1b", "U+001B (a control character) at position 2"),
        ('\n', "%0a", "U+000A"),
        ('\u{85}', "%c2%85", "U+0085"),
        ('\u{202e}', "%e2%80%ae", "U+202E (an invisible character) at position 2"),
        ('\u{2066}', "%e2%81%a6", "U+2066"),
        ('\u{200b}', "%e2%80%8b", "U+200B"),
        ('\u{e0041}', "%f3%a0%81%81", "U+E0041"),
        ('\u{2028}', "%e2%80%a8", "U+2028"),
    ] {
        let deletion = root.request(Method::DELETE, &format!("/api/v1/crates/foo/1.0.0?reason=a{encoded}b"), "");
        let made = root.request(Method::PUT, "/api/v1/me/tokens", token(&format!("a{character}b")));
        for answer in [deletion, made] {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{named}: {}", answer.text());
            assert!(answer.detail().contains(named), "{named}: {}", answer.detail());
            assert_plain(&answer.text(), named);
        }
    }
    root.request(Method::PUT, "/api/v1/me/tokens", token("größe 👨\u{200d}👩\u{200d}👧 ci")).good();
}

// rule: 14
#[test]
fn a_manifest_with_such_a_character_is_refused_wherever_it_is() {
    let registry = TestRegistry::new();
    let ann = registry.user("hostile-manifests");
    let crates_io = |rest: &str| {
        format!(
            "[dependencies]\nserde = {{ version = \"1\", registry-index = \"sparse+http://registry.test/index/\", {rest} }}\n"
        )
    };
    for (manifest, field) in [
        ("authors = [\"Ann\", \"B\\u001b[31mob\"]\n".to_owned(), "`authors`"),
        ("authors = [\"Ann\\nBob\"]\n".to_owned(), "`authors`"),
        ("homepage = \"https://a.b/\\u202e\"\n".to_owned(), "`homepage`"),
        ("repository = \"https://a.b/\\u0007\"\n".to_owned(), "`repository`"),
        ("documentation = \"https://a.b/\\u0085\"\n".to_owned(), "`documentation`"),
        ("license-file = \"LI\\u200bCENSE\"\n".to_owned(), "`license-file`"),
        ("readme = \"a\\u001b\"\n".to_owned(), "`readme`"),
        ("links = \"z\\u0000\"\n".to_owned(), "`links`"),
        ("keywords = [\"a\\u2066\"]\n".to_owned(), "`keywords`"),
        ("categories = [\"a\\ufeff\"]\n".to_owned(), "`categories`"),
        (format!("{}[features]\na = [\"serde/x\\u001b\"]\n", crates_io("optional = true")), "the feature `a`"),
        (crates_io("features = [\"x\\u202ey\"]"), "the dependency `serde`"),
    ] {
        let answer = ann.publish(&Package::new("foo", "1.0.0").manifest(&manifest));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{manifest}: {}", answer.text());
        assert!(
            answer.detail().contains(&format!("in Cargo.toml, {field} contains U+")),
            "{manifest}: {}",
            answer.detail()
        );
        assert_plain(&answer.text(), &manifest);
    }
    let answer = ann.publish(&Package::new("foo", "1.0.0").described("two\\u001b lines"));
    assert!(answer.detail().contains("`description` contains U+001B"), "{}", answer.text());
    ann.publish(&Package::new("foo", "1.0.0").described("two\\n\\tlines\\r\\nand \\u200d joined")).good();
    registry.run_jobs();
}

#[test]
fn no_error_repeats_such_a_character() {
    let registry = TestRegistry::new();
    let root = registry.admin("hostile-errors");
    root.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    let hostile_json = json!(HOSTILE).to_string();
    let mut answers = Vec::new();
    for path in [
        "/api/v1/crates/HOSTILE",
        "/api/v1/crates/foo/HOSTILE",
        "/api/v1/crates/foo/HOSTILE/download",
        "/api/v1/crates/foo?include=HOSTILE",
        "/api/v1/crates/foo/versions?sort=HOSTILE",
        "/api/v1/crates?per_page=HOSTILE",
        "/api/v1/crates?sort=HOSTILE",
        "/api/v1/crates?user_id=HOSTILE",
        "/api/v1/users/HOSTILE",
        "/api/v1/keywords/HOSTILE",
        "/api/v1/categories/HOSTILE",
        "/api/v1/admin/audit?action=HOSTILE",
        "/api/v1/admin/audit?crate=HOSTILE",
        "/api/v1/admin/audit?since=HOSTILE",
        "/api/v1/HOSTILE",
        "/HOSTILE",
    ] {
        answers.push((path, root.get(&path.replace("HOSTILE", ENCODED))));
    }
    for (method, path, body) in [
        (Method::PUT, "/api/v1/crates/foo/owners", format!("{{\"users\":[{hostile_json}]}}")),
        (Method::PUT, "/api/v1/crates/foo/owners", format!("{{\"users\":[\"team:\",{hostile_json}]}}")),
        (
            Method::PUT,
            "/api/v1/me/tokens",
            format!("{{\"api_token\":{{\"name\":\"a\",\"endpoint_scopes\":[{hostile_json}]}}}}"),
        ),
        (
            Method::PUT,
            "/api/v1/me/tokens",
            format!("{{\"api_token\":{{\"name\":\"a\",\"crate_scopes\":[{hostile_json}]}}}}"),
        ),
        (
            Method::PUT,
            "/api/v1/me/tokens",
            format!("{{\"api_token\":{{\"name\":\"a\",\"expired_at\":{hostile_json}}}}}"),
        ),
        (Method::PUT, "/api/v1/me/tokens", format!("{{\"api_token\":{hostile_json}}}")),
        (Method::DELETE, "/api/v1/me/tokens/HOSTILE", String::new()),
    ] {
        answers.push((path, root.request(method, &path.replace("HOSTILE", ENCODED), body)));
    }
    for (field, value) in [
        ("name", json!(HOSTILE)),
        ("vers", json!(HOSTILE)),
        ("deps", json!(HOSTILE)),
        ("deps", json!([{ "name": HOSTILE, "version_req": HOSTILE }])),
        ("features", json!({ HOSTILE: [HOSTILE] })),
        ("links", json!(HOSTILE)),
        ("rust_version", json!(HOSTILE)),
    ] {
        let answer = root.publish(&Package::new("foo", "2.0.0").metadata(field, value));
        answers.push((field, answer));
    }
    for (what, answer) in answers {
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.text());
        assert_plain(&answer.text(), what);
        assert_plain(&answer.detail(), what);
    }
}

/// Columns whose text has a form that rows are read by; everything else is made hostile.
const PARSED: [&str; 11] = [
    "crates.name",
    "crates.max_version",
    "crates.max_stable_version",
    "crates.newest_version",
    "versions.num",
    "versions.num_without_build",
    "versions.checksum",
    "versions.state",
    "api_tokens.scopes",
    "api_tokens.crate_patterns",
    "__diesel_schema_migrations.version",
];

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    data_type: String,
}

/// Writes hostile texts into every column that takes them, and answers how many did.
fn make_hostile(connection: &mut PgConnection) -> usize {
    let columns: Vec<Column> = diesel::sql_query(
        "SELECT columns.table_name::text, column_name::text, data_type::text FROM information_schema.columns
         JOIN information_schema.tables USING (table_schema, table_name)
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND data_type IN ('text', 'jsonb')",
    )
    .load(connection)
    .unwrap();
    let literal = HOSTILE.replace('\'', "''");
    let mut written = 0;
    for Column { table_name, column_name, data_type } in columns {
        if PARSED.contains(&&*format!("{table_name}.{column_name}")) {
            continue;
        }
        let update = match data_type.as_str() {
            "jsonb" => format!(
                "UPDATE {table_name} SET {column_name} = {column_name} || jsonb_build_object('key' || '{literal}', '{literal}')
                 WHERE jsonb_typeof({column_name}) = 'object'"
            ),
            _ => format!("UPDATE {table_name} SET {column_name} = coalesce({column_name}, '') || '{literal}'"),
        };
        // Some columns have rules of their own, and may keep them.
        written += usize::from(connection.transaction(|connection| connection.batch_execute(&update)).is_ok());
    }
    written
}

/// What is run for each subcommand that shows rows; None for those that show none.
fn arguments(subcommand: &str) -> Option<Vec<Vec<&'static str>>> {
    let both = |arguments: &[&'static str]| Some(vec![arguments.to_vec(), [arguments, &["--json"]].concat()]);
    match subcommand {
        "admin user list"
        | "admin email list"
        | "admin token list"
        | "admin team list"
        | "admin crate reserved"
        | "admin audit" => both(&[]),
        "admin team show" => both(&[]),
        "admin owner list" | "admin crate exposure" => both(&["foo"]),
        "admin crate limits" => Some(vec![vec!["foo"], vec!["foo", "--json"], vec![], vec!["--json"]]),
        "jobs list" => Some(
            ["--failed", "--dead", "--done", "--json"].map(|flag| vec![flag]).into_iter().chain([vec![]]).collect(),
        ),
        "jobs show" => both(&[]),
        // Follows what is new, without an end; its tests are beside it.
        "jobs watch" => None,
        "admin user create"
        | "admin user promote"
        | "admin user demote"
        | "admin user disable"
        | "admin user enable"
        | "admin user remove"
        | "admin user role"
        | "admin user sign-in-link"
        | "admin user sign-out"
        | "admin email set"
        | "admin email remove"
        | "admin email test"
        | "admin token create"
        | "admin token revoke"
        | "admin team create"
        | "admin team delete"
        | "admin team add-member"
        | "admin team remove-member"
        | "admin owner add"
        | "admin owner remove"
        | "admin crate reserve"
        | "admin crate release"
        | "admin crate delete"
        | "admin version yank"
        | "admin version unyank"
        | "admin version delete"
        | "admin import"
        | "jobs retry"
        | "jobs discard" => None,
        other => panic!("{other} is new: what does it print of a row that somebody else wrote?"),
    }
}

fn leaves(command: &clap::Command, path: &str) -> Vec<String> {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    match command.has_subcommands() {
        true => command.get_subcommands().flat_map(|one| leaves(one, &path)).collect(),
        false => vec![path],
    }
}

#[test]
fn what_was_taken_before_the_rule_is_answered_without_such_characters() {
    let registry = TestRegistry::new();
    let ann = registry.user("hostile-rows");
    ann.publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
        .pool
        .with(|connection| {
            let hostile = json!({ "description": HOSTILE, "license": HOSTILE, "authors": [HOSTILE], "links": HOSTILE });
            diesel::sql_query(format!("UPDATE versions SET manifest = manifest || $js${hostile}$js$::jsonb"))
                .execute(connection)
                .unwrap();
            diesel::sql_query("UPDATE crates SET description = $1, homepage = $1")
                .bind::<Text, _>(HOSTILE)
                .execute(connection)
                .unwrap();
        })
        .unwrap();
    for path in
        ["crates?q=foo", "crates/foo", "crates/foo/versions", "crates/foo/1.0.0", "crates/foo/1.0.0/authors", "summary"]
    {
        let answer = ann.get(&format!("/api/v1/{path}")).good().json();
        let told = format!("{answer:?}");
        assert!(path.starts_with("summary") || told.contains("[2J"), "{path}: {told}");
        let mut texts = vec![&answer];
        while let Some(value) = texts.pop() {
            match value {
                Value::String(text) => assert_plain(text, path),
                Value::Array(items) => texts.extend(items),
                Value::Object(fields) => texts.extend(fields.values()),
                _ => {}
            }
        }
    }
}

#[test]
fn an_import_tells_of_versions_whose_texts_have_such_characters() {
    // As a registry without the rule has it.
    let other = OtherRegistry::new();
    let hostile = "[dependencies]\nbar = { version = \"1\", features = [\"a\\u202e\"] }\n";
    other.add(&Package::new("foo", "1.0.0").manifest(hostile), |_| {});
    let to = Served::start(&[]);
    to.token("ann");
    let index = other.git_index();
    let summary: Value = serde_json::from_str(&to.run("admin import", &["--json", "--owner", "ann", &index])).unwrap();
    let told = summary["against_rules"]["foo 1.0.0"].as_str().unwrap_or_else(|| panic!("{summary:#}"));
    assert!(told.contains("the dependency `bar` contains U+202E (an invisible character) at position 2"), "{told}");
    let told = http::get(&format!("{}/api/v1/crates/foo/1.0.0/dependencies", to.url)).good().json();
    assert_eq!(told["dependencies"][0]["features"], json!(["a\u{fffd}"]));
}

/// Every other file says what it prints to `admin/output.rs`.
#[test]
fn only_one_file_writes_to_the_terminal() {
    const ALLOWED: [(&str, &str); 4] = [
        ("admin/output.rs", "is the file"),
        ("fault/present.rs", "prints its own words, and only where fail points are built in"),
        ("process/signals.rs", "prints its own words, from a signal's thread"),
        ("process/log.rs", "gives the log its stream"),
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut directories = vec![root.clone()];
    let mut wrong = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let is_test = name.split('/').any(|part| part.starts_with("tests"));
            if is_test || ALLOWED.iter().any(|(allowed, _)| *allowed == name) {
                continue;
            }
            for (number, line) in (1..).zip(std::fs::read_to_string(&path).unwrap().lines()) {
                let line = line.split("//").next().unwrap();
                let prints =
                    ["println!(", "print!(", "io::stdout()", "io::stderr()"].iter().any(|word| line.contains(word));
                if prints && !line.contains("is_terminal") {
                    wrong.push(format!("{name}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn every_table_shows_a_hostile_row_without_such_characters() {
        let mut served = Served::start(&["--publish-wait", "0s", "--no-worker"]);
        let token = served.token("ann");
        for name in ["foo", "bar", "baz"] {
            http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
        }
        served.run("admin team create", &["devs"]);
        served.run("admin team add-member", &["devs", "ann"]);
        served.run("admin owner add", &["foo", "team:devs"]);
        served.run("admin crate reserve", &["acme", "--reason", "kept"]);
        served.run("admin crate limits", &["foo", "--features", "400"]);
        let mut connection = served.database.connect();
        let jobs: Value = serde_json::from_str(&served.run("jobs list", &["--json"])).unwrap();
        let ids: Vec<String> = (0..3).map(|place| jobs[place]["id"].to_string()).collect();
        served.run("jobs discard", &[&ids[0], "--reason", "a test"]);
        connection
            .batch_execute(&format!(
                "WITH dead AS (DELETE FROM jobs WHERE id = {} RETURNING *)
                 INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no, last_error)
                 SELECT id, queue, kind, key, payload, priority, created_at, 20, 20, 'no space left' FROM dead;
                 UPDATE jobs SET attempts = 3, last_error = 'no space left'",
                ids[1]
            ))
            .unwrap();
        served.stop();
        let written = make_hostile(&mut connection);
        assert!(written > 25, "{written} columns");
        let team = format!("devs{HOSTILE}");
        let mut shown = 0;
        for top in Cli::command().get_subcommands().filter(|top| ["admin", "jobs"].contains(&top.get_name())) {
            for subcommand in leaves(top, "") {
                for arguments in arguments(&subcommand).into_iter().flatten() {
                    let mut command = served.command(&subcommand);
                    command.args(&arguments);
                    let runs = match subcommand.as_str() {
                        "jobs show" => ids.clone(),
                        "admin team show" => vec![team.clone()],
                        _ => vec![],
                    };
                    let outputs = match runs.is_empty() {
                        true => vec![command.output().unwrap()],
                        false => runs
                            .iter()
                            .map(|run| served.command(&subcommand).args(&arguments).arg(run).output().unwrap())
                            .collect(),
                    };
                    for output in outputs {
                        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
                        assert!(output.status.success(), "{subcommand} {arguments:?}: {said}");
                        assert_plain(&said, &format!("{subcommand} {arguments:?}"));
                        // Nothing is lost: scripts read what is stored.
                        if arguments.contains(&"--json") && said.len() > 10 {
                            let read: Value = serde_json::from_str(&said).unwrap();
                            // Of these there are no rows that have the name of the crate still.
                            let is_empty = subcommand.ends_with("limits") || subcommand.ends_with("exposure");
                            assert!(format!("{read:?}").contains("[2J") || is_empty, "{subcommand}: {read}");
                        }
                        shown += usize::from(said.contains("\\u{1b}[2J") || said.contains("\\u001b[2J"));
                    }
                }
            }
        }
        // What differs between rows, index and files is told with texts of all three.
        for arguments in [&[][..], &["--json"]] {
            let output = served.command("verify").args(arguments).output().unwrap();
            assert_plain(&String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), "verify");
            assert_eq!(output.status.code(), Some(1));
        }
        assert!(shown > 15, "{shown} answers had a hostile text in them");
        for (subcommand, arguments) in [
            ("admin crate reserve", &["x", "--reason", HOSTILE][..]),
            ("jobs discard", &[&ids[2], "--reason", HOSTILE]),
            ("admin version delete", &["baz", "1.0.0", "--reason", HOSTILE]),
            ("admin user create", &[HOSTILE]),
            ("admin team create", &[HOSTILE]),
            ("admin token create", &["--user", HOSTILE]),
            ("admin owner add", &["foo", HOSTILE]),
            ("admin owner list", &[HOSTILE]),
            ("admin audit", &["--action", HOSTILE]),
        ] {
            let said = failed(served.command(subcommand).args(arguments).output().unwrap(), 1);
            assert_plain(&said, subcommand);
            assert_eq!(said.lines().count(), 1, "{subcommand}: {said}");
        }
    }
}
