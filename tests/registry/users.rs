//! Users who come and go: created with all that they need, disabled, enabled, removed.

use std::process::{Output, Stdio};

use axum::body::Body;
use axum::http::{Method, StatusCode};
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};
use serde_json::{Value, json};
use supercargo::database::access::administrator::Administrator;
use supercargo::database::access::audit::Actor;
use supercargo::database::access::users;
use supercargo::database::catalog::owners::Owner;
use supercargo::database::catalog::ownership::{self, Change, OwnersError};
use supercargo::database::catalog::refusal::ChangeRefusal;
use supercargo::database::catalog::user_removal::RemovalError;
use supercargo::jobs::leaving;
use supercargo::jobs::team_changes::Membership;

use crate::support::cluster::Database;
use crate::support::event::wait_until;
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded};

fn refused(served: &Served, subcommand: &str, arguments: &[&str]) -> String {
    failed(served.command(subcommand).args(arguments).output().unwrap(), 1).trim().to_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(served: &Served, subcommand: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&served.run(subcommand, &[arguments, &["--json"]].concat())).unwrap()
}

/// What a user list says of one.
fn state(served: &Served, login: &str) -> String {
    let users = json(served, "admin user list", &[]);
    let user = users.as_array().unwrap().iter().find(|user| user["login"] == login);
    user.map_or("none", |user| user["state"].as_str().unwrap()).to_owned()
}

/// The actions of the audit log, oldest first, each with its subject.
fn actions(served: &Served) -> Vec<String> {
    let log = json(served, "admin audit", &["--limit", "500"]);
    let entries = log.as_array().unwrap().iter().rev();
    let texts = entries.map(|entry| ["action", "crate", "subject"].map(|key| entry[key].as_str().unwrap_or("-")));
    texts.map(|texts| texts.join(" ")).collect()
}

#[test]
fn users_are_created_together_or_not_at_all() {
    let served = Served::start(&["--no-worker"]);
    served.run("admin user create", &["ann"]);
    for (arguments, problem) in [
        (
            &["bob", "ANN"][..],
            "the user \"ANN\" already exists (case is ignored): choose another login, or keep the user with --if-missing",
        ),
        (&["bob", "Bob"], "the login \"Bob\" is given twice (case is ignored): give it once"),
        (
            &["bob", "--team", "devs"],
            "there is no team \"devs\": check its name (`supercargo admin team list`), or create it with --create-team",
        ),
        (
            &["bob", "no spaces", "--team", "devs", "--create-team"],
            "\"no spaces\" is not a valid login: use 1 to 64 letters, digits, '-', '_', '.' or '@', beginning with a \
             letter or digit",
        ),
    ] {
        assert_eq!(refused(&served, "admin user create", arguments), format!("supercargo: {problem}"));
        assert_eq!(state(&served, "bob"), "none", "{arguments:?}");
        assert_eq!(json(&served, "admin team list", &[]), json!([]), "{arguments:?}");
    }
    let said = served.run("admin user create", &["bob", "cat", "--team", "devs,ops", "--create-team", "--admin"]);
    assert_eq!(
        said,
        "created the team devs\ncreated the team ops\n\
         created the admin bob, a member of devs, ops; create a token with `supercargo admin token create --user bob`\n\
         created the admin cat, a member of devs, ops; create a token with `supercargo admin token create --user cat`\n"
    );
    let said = served.run("admin user create", &["ann", "dan", "--team", "devs", "--if-missing"]);
    assert_eq!(
        said,
        "ann already existed and is a member of devs\n\
         created the user dan, a member of devs; create a token with `supercargo admin token create --user dan`\n"
    );
    assert_eq!(json(&served, "admin team show", &["devs"])["members"], json!(["ann", "bob", "cat", "dan"]));
    served.run("admin user disable", &["dan"]);
    assert_eq!(
        refused(&served, "admin user create", &["dan", "--if-missing"]),
        "supercargo: the user `dan` is disabled: `supercargo admin user enable dan` makes the user active again"
    );
    // A token's options without a token are a mistake.
    failed(served.command("admin user create").args(["eve", "--expires-in", "1day"]).output().unwrap(), 2);
    failed(served.command("admin user create").args(["eve", "--create-team"]).output().unwrap(), 2);
}

#[test]
fn standard_output_has_only_what_is_to_be_forwarded_to_new_users() {
    let served = Served::start(&["--no-worker", "--public-url", "https://crates.example/registry"]);
    served.run("admin user create", &["ann"]);
    let arguments =
        ["ann", "bob", "--if-missing", "--token", "--team", "devs", "--create-team", "--expires-in", "1day"];
    let output = served.command("admin user create").args(arguments).output().unwrap();
    assert_eq!(
        stderr(&output),
        "supercargo: created the team devs\n\
         supercargo: ann already existed and is a member of devs, and got no token\n\
         supercargo: a token is shown only this once: send each part to its user alone, in a way that others cannot read\n"
    );
    let invitation = succeeded(output);
    let token = invitation.lines().find_map(|line| line.strip_prefix("    sct_")).unwrap();
    let end = invitation.lines().find_map(|line| line.strip_prefix("The token is valid until ")).unwrap();
    let shown = invitation.replace(token, "TOKEN").replace(end, "END");
    insta::assert_snapshot!(shown, @r#"
    For bob:

    Add these lines to .cargo/config.toml in your home directory:

        [registries.supercargo]
        index = "sparse+https://crates.example/registry/index/"

    Then run this command, and paste the token below when it asks for one:

        cargo login --registry supercargo

        sct_TOKEN

    The token is valid until END
    How to use the registry: https://crates.example/registry/
    "#);
    let created = json(&served, "admin user create", &["cat", "--token", "--public-url", "https://other.example"]);
    assert_eq!(
        created[0]["cargo_config"],
        "[registries.supercargo]\nindex = \"sparse+https://other.example/index/\"\n"
    );
    let me = format!("http://{}/api/v1/me", served.address());
    assert_eq!(http::get_as(&me, created[0]["token"].as_str().unwrap()).good().json()["user"]["login"], "cat");
    let tokens = json(&served, "admin token list", &["--user", "cat"]);
    assert_eq!((&tokens[0]["id"], &tokens[0]["name"]), (&created[0]["token_id"], &json!("first token")));

    // Elsewhere the URL is not known, and nothing is created.
    let elsewhere = served.directory.path().join("elsewhere");
    let create = |more: &[&str]| {
        let mut command = served.command_in(&elsewhere, "admin user create");
        command.args(["dan", "--token"]).args(more).output().unwrap()
    };
    insta::assert_snapshot!(failed(create(&[]), 1).trim(), @"supercargo: the registry's URL is not known, because this data directory has no index yet: start `supercargo serve` on it once, or set --public-url");
    assert_eq!(state(&served, "dan"), "none");
    let mut nowhere = crate::support::process::supercargo();
    nowhere.args(["admin", "user", "create", "dan", "--token", "--data-dir"]).arg(&elsewhere);
    assert!(failed(nowhere.output().unwrap(), 1).starts_with("supercargo: there is no registry in "));
    // Nor whether it is private; the line for private ones does no harm.
    let there = create(&["--public-url", "http://127.0.0.1:2274"]);
    assert!(stderr(&there).contains("only this machine reaches http://127.0.0.1:2274: set --public-url"));
    assert!(succeeded(there).contains("    credential-provider = \"cargo:token\"\n"));
}

#[test]
fn a_disabled_user_is_refused_at_once_and_comes_back_with_the_same_tokens() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    served.run("admin user create", &["bob"]);
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    http::publish(&served.url, &token, &Package::new("shared", "1.0.0")).good();
    served.run("admin owner add", &["shared", "bob"]);
    assert_eq!(
        served.run("admin user disable", &["Ann"]),
        "disabled ann: 1 valid token is refused until `supercargo admin user enable ann`\n\
         ann was the only active user among the owners of foo: add another with `supercargo admin owner add CRATE LOGIN`, \
         or only admins can change their owners\n"
    );
    let answer = http::publish(&served.url, &token, &Package::new("foo", "1.1.0"));
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["errors"][0]["detail"],
        "the token `default` is not valid, because its user `ann` is disabled: the operator of this registry can undo \
         that with `supercargo admin user enable ann`"
    );
    let remedy = "the user `ann` is disabled: `supercargo admin user enable ann` makes the user active again";
    served.run("admin team create", &["devs"]);
    for (subcommand, arguments) in [
        ("admin token create", &["--user", "ann"][..]),
        ("admin team add-member", &["devs", "ann"]),
        ("admin user promote", &["ann"]),
        ("admin owner add", &["shared", "ann"]),
        ("admin import", &["https://127.0.0.1:9/index", "--owner", "ann"]),
        ("verify", &["--repair", "--owner", "ann"]),
    ] {
        let output = served.command(subcommand).args(arguments).output().unwrap();
        assert!(!output.status.success() && stderr(&output).contains(remedy), "{subcommand}: {}", stderr(&output));
    }
    assert_eq!(state(&served, "ann"), "disabled");
    assert_eq!(served.run("admin user disable", &["ann"]), "nothing changed: ann is already disabled\n");
    let owners = http::get(&format!("{}/api/v1/crates/foo/owner_user", served.url)).good().json();
    assert_eq!(owners["users"][0]["login"], "ann");

    assert_eq!(served.run("admin user enable", &["ann"]), "enabled ann: 1 token is valid again\n");
    assert_eq!(served.run("admin user enable", &["ann"]), "nothing changed: ann is active\n");
    http::publish(&served.url, &token, &Package::new("foo", "1.1.0")).good();
    let actions = actions(&served);
    assert!(actions.ends_with(&[
        "user-disable - ann".to_owned(),
        "team-create - devs".to_owned(),
        "user-enable - ann".to_owned(),
        "publish foo -".to_owned()
    ]));
}

#[test]
fn a_private_registry_answers_a_disabled_user_with_the_reason_and_asks_for_no_other_token() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let ann = registry.user("ann");
    ann.get("/api/v1/me").good();
    registry
        .pool
        .with(|connection| {
            let user = users::find(connection, "ann").unwrap().unwrap();
            assert!(users::disable(connection, user.id).unwrap());
        })
        .unwrap();
    for path in ["/index/config.json", "/git/index/info/refs?service=git-upload-pack", "/api/v1/me"] {
        let answer = ann.get(path);
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.detail().contains("its user `ann` is disabled"), "{}", answer.detail());
        assert!(!answer.headers.contains_key("www-authenticate"), "{path}");
    }
}

#[test]
fn a_removed_user_keeps_only_the_login() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    served.run("admin user create", &["bob", "cat", "dan", "--team", "devs", "--create-team"]);
    served.run("admin team add-member", &["devs", "ann"]);
    served.run("admin user disable", &["dan"]);
    let made = json!({ "api_token": { "name": "child" } });
    let made = http::put_json_as(&format!("{}/api/v1/me/tokens", served.url), &token, &made).good().json();
    let child = made["api_token"]["token"].as_str().unwrap();
    for name in ["one", "two", "shared"] {
        http::publish(&served.url, &token, &Package::new(name, "1.0.0")).good();
    }
    served.run("admin owner add", &["shared", "cat"]);
    // A disabled user would leave nobody.
    served
        .database
        .connect()
        .batch_execute(
            "INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, users.id FROM crates, users
         WHERE crates.name = 'one' AND login = 'dan'",
        )
        .unwrap();
    let only = "supercargo: `ann` is the only active user among the owners of one, two: name a user who becomes an owner \
                with `--to LOGIN`, because teams cannot change owners";
    for (successors, problem) in [
        (&[][..], only),
        (&["--to", "team:devs"], only),
        (&["--to", "ann"], "supercargo: `ann` cannot take over its own crates: name another user or team with `--to`"),
        (
            &["--to", "bob,dan"],
            "supercargo: the user `dan` is disabled: `supercargo admin user enable dan` makes the user active again",
        ),
        (
            &["--to", "eve"],
            "supercargo: there is no user \"eve\" in this registry: name a user that was made with `supercargo admin user \
             create`, or a team as `team:NAME`",
        ),
    ] {
        assert_eq!(refused(&served, "admin user remove", &[&["ann"], successors].concat()), problem);
    }
    assert_eq!(http::get_as(&format!("{}/api/v1/me", served.url), &token).status, 200, "nothing was changed");
    let before = actions(&served).len();
    assert_eq!(
        served.run("admin user remove", &["ann", "--to", "bob,team:devs"]),
        "removed ann: revoked 2 tokens; handed over 3 crates to bob, team:devs (one, two, shared); removed from devs\n"
    );
    assert_eq!(served.run("admin user remove", &["ann"]), "nothing changed: ann was already removed\n");
    let changes = actions(&served).split_off(before);
    assert_eq!(
        changes.iter().filter(|change| !change.contains("two") && !change.contains("shared")).collect::<Vec<_>>(),
        [
            "owner-add one bob",
            "owner-add one team:devs",
            "owner-remove one ann",
            "team-member-remove - devs",
            "token-revoke - default",
            "token-revoke - child",
            "user-remove - ann"
        ]
    );
    for lost in [&*token, child] {
        let answer = http::publish(&served.url, lost, &Package::new("one", "1.1.0"));
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains("its user `ann` is removed"), "{}", answer.text());
    }
    let owners = |name: &str| {
        let owners = http::get(&format!("{}/api/v1/crates/{name}/owner_user", served.url)).good().json();
        let owners = owners["users"].as_array().unwrap().iter();
        owners.map(|owner| owner["login"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((owners("one"), owners("shared")), (vec!["dan".into(), "bob".into()], vec!["cat".into(), "bob".into()]));
    // What happened stays: who published, and the profile that this refers to.
    let version = http::get(&format!("{}/api/v1/crates/one/1.0.0", served.url)).good().json();
    assert_eq!(version["version"]["published_by"]["login"], "ann");
    http::get(&format!("{}/api/v1/users/ann", served.url)).good();
    assert_eq!(state(&served, "ann"), "removed");
    let back = "supercargo: the user `ann` is removed: `supercargo admin user enable ann` makes the user active again";
    assert_eq!(refused(&served, "admin user create", &["ann"]), back);
    assert_eq!(refused(&served, "admin owner add", &["one", "ann"]), back);

    assert_eq!(
        served.run("admin user enable", &["ann"]),
        "enabled ann, who has no token, no crate and no team: create a token with `supercargo admin token create --user ann`\n"
    );
    assert_eq!(http::get_as(&format!("{}/api/v1/me", served.url), &token).status, 403);
    let again = served.run("admin token create", &["--user", "ann"]);
    let refused = http::publish(&served.url, again.trim(), &Package::new("one", "1.1.0"));
    assert!(refused.text().contains("`ann` is not an owner of the crate `one`"), "{}", refused.text());
}

#[test]
fn a_user_without_crates_is_removed_without_a_successor_and_crates_of_others_stay_with_them() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    served.run("admin user create", &["bob", "cat"]);
    assert_eq!(served.run("admin user remove", &["cat"]), "removed cat: revoked 0 tokens\n");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    served.run("admin owner add", &["foo", "bob"]);
    assert_eq!(
        served.run("admin user remove", &["ann"]),
        "removed ann: revoked 1 token; left 1 crate to the other owners (foo)\n"
    );
    assert_eq!(json(&served, "admin owner list", &["foo"])[0]["login"], "bob");
    assert_eq!(
        refused(&served, "admin user remove", &["eve"]),
        "supercargo: there is no user \"eve\": create one with `supercargo admin user create eve`"
    );
}

#[test]
fn the_last_active_admin_is_neither_disabled_nor_removed() {
    let served = Served::start(&["--no-worker"]);
    served.run("admin user create", &["ann", "bob", "--admin"]);
    served.run("admin user create", &["cat"]);
    served.run("admin user disable", &["bob"]);
    let last = "supercargo: `ann` is the last active admin: make another user an admin first, with `supercargo admin user \
                promote LOGIN`";
    for command in ["admin user disable", "admin user remove"] {
        assert_eq!(refused(&served, command, &["ann"]), last);
    }
    // A disabled admin can go.
    served.run("admin user remove", &["bob"]);
    served.run("admin user promote", &["cat"]);
    served.run("admin user remove", &["ann"]);
    assert_eq!(refused(&served, "admin user disable", &["cat"]), last.replace("`ann`", "`cat`"));
    let users = json(&served, "admin user list", &[]);
    let admins: Vec<_> = users.as_array().unwrap().iter().filter(|user| user["is_admin"] == true).collect();
    assert_eq!((admins.len(), &admins[0]["login"]), (1, &json!("cat")));
}

#[derive(QueryableByName)]
struct Pid {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// A database with users and crates, of which ann owns `foo`.
struct Bench {
    database: Database,
    connection: PgConnection,
}

impl Bench {
    fn new() -> Self {
        let database = Database::fresh();
        let mut connection = database.connect();
        connection
            .batch_execute(
                "INSERT INTO users (id, login, is_admin) VALUES (1, 'ann', true), (2, 'bob', true), (3, 'cat', false);
                 INSERT INTO crates (id, name) VALUES (1, 'foo'), (2, 'bar');
                 INSERT INTO crate_owners (crate_id, user_id) VALUES (1, 1), (2, 3);",
            )
            .unwrap();
        Self { database, connection }
    }

    fn owner(&mut self, login: &str) -> Owner {
        Owner::find(&mut self.connection, login).unwrap().unwrap()
    }

    /// Waits until another session waits for this one.
    fn wait_for_blocked_by(&mut self, holder: i32) {
        let blocked =
            format!("SELECT count(*) AS count FROM pg_stat_activity WHERE {holder} = ANY(pg_blocking_pids(pid))");
        let connection = &mut self.connection;
        wait_until("a session to wait for the lock", || {
            diesel::sql_query(&blocked).get_result::<Count>(connection).unwrap().count > 0
        });
    }

    /// Runs something in a transaction that is open until another session waits for it; answers what that one did.
    fn meanwhile<R: Send>(
        &mut self,
        first: impl FnOnce(&mut PgConnection),
        second: impl FnOnce(&mut PgConnection) -> R + Send,
    ) -> R {
        self.around(first, second, |_| {})
    }

    /// The same, and does more in the transaction while the other waits.
    fn around<R: Send>(
        &mut self,
        first: impl FnOnce(&mut PgConnection),
        second: impl FnOnce(&mut PgConnection) -> R + Send,
        last: impl FnOnce(&mut PgConnection),
    ) -> R {
        let (mut holder, mut other) = (self.database.connect(), self.database.connect());
        let Pid { pid } = diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut holder).unwrap();
        AnsiTransactionManager::begin_transaction(&mut holder).unwrap();
        first(&mut holder);
        std::thread::scope(|scope| {
            // Dropped when the test fails, so that the thread ends and the test with it.
            let mut holder = holder;
            let other = scope.spawn(move || second(&mut other));
            self.wait_for_blocked_by(pid);
            last(&mut holder);
            AnsiTransactionManager::commit_transaction(&mut holder).unwrap();
            other.join().unwrap()
        })
    }
}

fn operator() -> Actor {
    Actor::operator("root@test".to_owned())
}

fn names(crates: &[supercargo::package::CrateName]) -> Vec<String> {
    crates.iter().map(ToString::to_string).collect()
}

#[test]
fn a_crate_that_a_user_comes_to_own_during_the_removal_is_handed_over_too() {
    // By a publish, which holds the rights of its user.
    let mut bench = Bench::new();
    let (ann, bob) = (bench.owner("ann"), bench.owner("bob"));
    let Owner::User(user) = &ann else { unreachable!() };
    let remove = |connection: &mut PgConnection| {
        leaving::remove(connection, user, std::slice::from_ref(&bob), Administrator::Operator(&operator()))
            .unwrap()
            .unwrap()
    };
    let publish = format!(
        "INSERT INTO crates (id, name) VALUES (3, 'late'); INSERT INTO crate_owners (crate_id, user_id) VALUES (3, 1);
         SELECT pg_advisory_xact_lock_shared({}, 1)",
        0x7267_6874
    );
    let removal = bench.meanwhile(|first| first.batch_execute(&publish).unwrap(), remove);
    assert_eq!(names(&removal.crates), ["foo", "late"]);

    // By another owner of the crate.
    let mut bench = Bench::new();
    let name = "bar".parse().unwrap();
    let add = |first: &mut PgConnection| {
        drop(ownership::change(first, &name, &["ann".to_owned()], Change::Add, &operator()).unwrap());
    };
    let removal = bench.meanwhile(add, remove);
    assert_eq!(names(&removal.crates), ["foo", "bar"]);
}

#[test]
fn nobody_makes_a_user_an_owner_or_a_member_during_the_removal() {
    let mut bench = Bench::new();
    let (ann, bob) = (bench.owner("ann"), bench.owner("bob"));
    let Owner::User(user) = &ann else { unreachable!() };
    let remove = |first: &mut PgConnection| {
        drop(
            leaving::remove(first, user, std::slice::from_ref(&bob), Administrator::Operator(&operator()))
                .unwrap()
                .unwrap(),
        );
    };
    let name = "bar".parse().unwrap();
    let added = bench
        .meanwhile(remove, |second| ownership::change(second, &name, &["ann".to_owned()], Change::Add, &operator()));
    assert!(matches!(added, Err(OwnersError::Refused(ChangeRefusal::Inactive(_)))), "{added:?}");

    let mut bench = Bench::new();
    bench.connection.batch_execute("INSERT INTO teams (name) VALUES ('devs')").unwrap();
    let added = bench.meanwhile(remove, |second| {
        supercargo::admin::teams::set_member(second, &operator(), "devs", "ann", Membership::Add)
    });
    assert!(added.unwrap_err().to_string().contains("the user `ann` is removed"));
}

/// A publish by a pattern locks its token, then the pattern and its creator.
#[test]
fn a_removal_waits_for_a_publish_by_a_pattern_of_the_user_and_not_the_other_way_round() {
    let mut bench = Bench::new();
    let (ann, bob) = (bench.owner("ann"), bench.owner("bob"));
    let Owner::User(user) = &ann else { unreachable!() };
    bench
        .connection
        .batch_execute(
            "INSERT INTO users (id, login, is_machine) VALUES (4, 'github:acme/foo', true);
             INSERT INTO trusted_publishers (id, issuer_id, pattern, canonical, is_prefix, repository, rule, stages_only, created_by)
             OVERRIDING SYSTEM VALUE SELECT 7, id, 'foo-*', 'foo_', true, 'acme/foo',
                    '{\"kind\": \"workflow\", \"owner\": \"acme\", \"owner_id\": \"42\", \"repository\": \"foo\", \"workflow\": \"release.yml\", \"environment\": null}',
                    false, 1
             FROM trusted_issuers WHERE provider = 'github';
             INSERT INTO api_tokens (id, user_id, name, token_sha256, scopes, crate_patterns, expires_at, trusted)
             VALUES (9, 4, 'run 1', sha256('run'), '{publish-update}', '{foo-*}', now() + interval '30 minutes', '{\"publishers\": [7]}')",
        )
        .unwrap();
    let removal = bench.around(
        |publish| publish.batch_execute("SELECT FROM api_tokens WHERE id = 9 FOR SHARE").unwrap(),
        |other| leaving::remove(other, user, std::slice::from_ref(&bob), Administrator::Operator(&operator())),
        |publish| {
            let rest = "SELECT FROM trusted_publishers WHERE id = 7 FOR SHARE NOWAIT;
                        SELECT FROM users WHERE id = 1 FOR SHARE NOWAIT";
            publish.batch_execute(rest).unwrap();
        },
    );
    removal.unwrap().unwrap();
    let revoked = "SELECT count(*) AS count FROM api_tokens WHERE id = 9 AND revoked_at IS NOT NULL";
    assert_eq!(diesel::sql_query(revoked).get_result::<Count>(&mut bench.connection).unwrap().count, 1);
}

#[test]
fn an_invitation_that_is_accepted_during_the_removal_of_who_sent_it_is_not_withdrawn() {
    let mut bench = Bench::new();
    let (ann, bob) = (bench.owner("ann"), bench.owner("bob"));
    let Owner::User(user) = &ann else { unreachable!() };
    let sent = "INSERT INTO owner_invitations (crate_id, user_id, invited_by, created_at, expires_at)
                VALUES (2, 2, 1, now(), now() + interval '1 day')";
    bench.connection.batch_execute(sent).unwrap();
    let removal = bench.meanwhile(
        |accept| {
            let accepted = "SELECT FROM crates WHERE id = 2 FOR NO KEY UPDATE; DELETE FROM owner_invitations;
                            INSERT INTO crate_owners (crate_id, user_id) VALUES (2, 2)";
            accept.batch_execute(accepted).unwrap();
        },
        |other| leaving::remove(other, user, std::slice::from_ref(&bob), Administrator::Operator(&operator())),
    );
    removal.unwrap().unwrap();
    let withdrawn = "SELECT count(*) AS count FROM audit_log WHERE action = 'owner-invite-withdraw'";
    assert_eq!(diesel::sql_query(withdrawn).get_result::<Count>(&mut bench.connection).unwrap().count, 0);
}

#[test]
fn of_two_admins_who_are_taken_away_at_once_one_stays() {
    let mut bench = Bench::new();
    let (ann, cat) = (bench.owner("ann"), bench.owner("cat"));
    let Owner::User(user) = &ann else { unreachable!() };
    let second = bench.meanwhile(
        |first| supercargo::admin::users::leave::disable(first, &operator(), "bob").unwrap(),
        |second| leaving::remove(second, user, &[cat], Administrator::Operator(&operator())),
    );
    assert!(matches!(second, Err(RemovalError::LastAdmin { .. })), "{second:?}");
}

#[test]
fn a_disabled_user_cannot_change_tokens() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    registry.pool.with(|connection| connection.batch_execute("UPDATE users SET disabled_at = now()").unwrap()).unwrap();
    let made = ann.request(Method::PUT, "/api/v1/me/tokens", json!({"api_token": {"name": "more"}}).to_string());
    assert_eq!(made.status, StatusCode::FORBIDDEN, "{}", made.text());
    assert_eq!(ann.request(Method::DELETE, "/api/v1/tokens/current", Body::empty()).status, StatusCode::FORBIDDEN);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use std::io::Write;

    use super::*;
    use crate::support::cargo::{Cargo, said};

    /// Does what an invitation says, with its lines as they are: the configuration, and the command with its token.
    fn follow(invitation: &str) -> Cargo {
        let mut cargo = Cargo::new("unused", "unused");
        cargo.leave_out_the_token();
        let lines: Vec<&str> = invitation.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        let [config @ .., login, token] = &lines[..] else { panic!("{invitation}") };
        cargo.write("home/config.toml", &(config.join("\n") + "\n"));
        let login: Vec<&str> = login.split(' ').collect();
        assert_eq!(login[0], "cargo");
        let mut child = cargo.command("", &login[1..]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // As it is copied, with the spaces before it.
        writeln!(child.stdin.take().unwrap(), "    {token}").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        cargo
    }

    #[test]
    fn a_team_of_five_begins_with_one_command_and_what_it_prints() {
        for arguments in [&[][..], &["--auth-required"]] {
            let served = Served::start(arguments);
            let create = ["ann", "bob", "cat", "dan", "eve", "--team", "devs", "--create-team", "--token"];
            let printed = served.run("admin user create", &create);
            let invitations: Vec<&str> = printed.split("For ").skip(1).collect();
            let named: Vec<_> = invitations.iter().map(|one| one.split(':').next().unwrap()).collect();
            assert_eq!(named, ["ann", "bob", "cat", "dan", "eve"]);
            let members: Vec<Cargo> = invitations.iter().map(|one| follow(one)).collect();

            members[0].library("foo", "1.0.0", "", "");
            members[0].publish("foo");
            members[0].good("foo", &["owner", "--registry", "supercargo", "--add", "team:devs"]);
            for (number, member) in members[1..].iter().enumerate() {
                member.library("foo", &format!("1.{}.0", number + 1), "", "");
                member.publish("foo");
            }
            let log = json(&served, "admin audit", &["--crate", "foo", "--action", "publish"]);
            let publishers: Vec<_> = log.as_array().unwrap().iter().map(|entry| entry["actor"].clone()).collect();
            assert_eq!(publishers, ["eve", "dan", "cat", "bob", "ann"]);
        }
    }

    #[test]
    fn cargo_shows_a_disabled_user_the_reason() {
        let served = Served::start(&["--auth-required"]);
        let printed = served.run("admin user create", &["ann", "--token"]);
        let cargo = follow(&printed);
        cargo.library("foo", "1.0.0", "", "");
        cargo.publish("foo");
        served.run("admin user disable", &["ann"]);
        cargo.library("foo", "1.1.0", "", "");
        let refused = cargo.bad("foo", &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"]);
        assert!(refused.contains("its user `ann` is disabled"), "{refused}");
    }
}
