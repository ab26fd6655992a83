//! Requests whose last byte arrives after the token was revoked, has expired, or its user has lost the right.

use std::io::{Read, Write};
use std::net::TcpStream;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use serde_json::json;
use supercargo::admin::users::set_admin;
use supercargo::client_connection::ClientConnection;
use supercargo::database::access::administrator::Administrator;
use supercargo::database::access::audit::Actor;
use supercargo::database::access::caller::{Caller, Denied};
use supercargo::database::access::new_token::NewToken;
use supercargo::database::access::revocation;
use supercargo::database::access::{teams, users};
use supercargo::database::catalog::refusal::ChangeRefusal;
use supercargo::jobs::leaving;
use supercargo::jobs::yank::{self, YankState};
use supercargo::jobs::{Admission, RequestError};
use supercargo::queue::Completions;
use supercargo::web::api::oauth::OPEN;
use supercargo::web::api::trusted_publishing::tokens::EXCHANGE;
use supercargo::web::openapi;

use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// What is lost while a request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// To see that the request would do something.
    Nothing,
    Revoked,
    Expired,
    /// The user is disabled.
    Disabled,
    /// The user's right to the change, whichever it rests upon.
    Right,
}

/// How a changing route is called.
struct Call {
    path: String,
    /// None: it has no body, and is held by a lock instead.
    body: Option<Vec<u8>>,
    /// The row that holds a call without a body, as a condition of a query.
    held_by: String,
    /// What takes the user's right away; None: nothing but the token decides.
    loss: Option<String>,
}

/// A user who is about to send a request.
struct Attacker {
    user: i32,
    login: String,
    token: String,
    token_id: i32,
    /// Another token of the user.
    other: i32,
    krate: String,
    crate_id: i32,
}

impl Attacker {
    /// One entry for each changing route.
    fn call(&self, route: &str) -> Call {
        let Self { user, login, other, krate, .. } = self;
        let (of_crate, of_user) = (format!("crates WHERE name = '{krate}'"), format!("users WHERE id = {user}"));
        let owner = format!("DELETE FROM crate_owners WHERE user_id = {user}");
        let member = format!("DELETE FROM team_members WHERE user_id = {user}");
        let admin = format!("UPDATE users SET is_admin = false WHERE id = {user}");
        let call = |path: String, body: Option<Vec<u8>>, held_by: &str, loss: Option<&String>| Call {
            path: format!("/api/v1{path}"),
            body,
            held_by: held_by.to_owned(),
            loss: loss.cloned(),
        };
        let owners = |login: &str| Some(json!({ "users": [login] }).to_string().into_bytes());
        match route {
            "PUT /api/v1/crates/new" => {
                call("/crates/new".to_owned(), Some(Package::new(krate, "1.1.0").body()), "", Some(&owner))
            }
            "PUT /api/v1/crates/{crate}/owners" => {
                call(format!("/crates/{krate}/owners"), owners(login), "", Some(&admin))
            }
            "DELETE /api/v1/crates/{crate}/owners" => {
                call(format!("/crates/{krate}/owners"), owners("second"), "", Some(&admin))
            }
            "DELETE /api/v1/crates/{crate}/{version}" => {
                call(format!("/crates/{krate}/1.0.0?reason=x"), None, &of_crate, Some(&admin))
            }
            "DELETE /api/v1/crates/{crate}" => call(format!("/crates/{krate}"), None, &of_crate, Some(&owner)),
            "DELETE /api/v1/crates/new" => {
                call("/crates/new".to_owned(), None, "crates WHERE name = 'new'", Some(&owner))
            }
            "PATCH /api/v1/crates/{crate}/{version}" => {
                let wanted = json!({ "version": { "yanked": true, "yank_message": "x" } }).to_string();
                call(format!("/crates/{krate}/1.0.0"), Some(wanted.into_bytes()), "", Some(&admin))
            }
            "DELETE /api/v1/crates/{crate}/{version}/yank" => {
                call(format!("/crates/{krate}/1.0.0/yank"), None, &of_crate, Some(&member))
            }
            "PUT /api/v1/crates/{crate}/{version}/unyank" => {
                call(format!("/crates/{krate}/1.0.0/unyank"), None, &of_crate, Some(&admin))
            }
            "PUT /api/v1/crates/{crate}/{version}/docs" => {
                let zip = crate::docs::zip(&[("any/index.html", b"late")]);
                call(format!("/crates/{krate}/1.0.0/docs"), Some(zip), "", Some(&admin))
            }
            "DELETE /api/v1/crates/{crate}/{version}/docs" => {
                call(format!("/crates/{krate}/1.0.0/docs"), None, &of_crate, Some(&admin))
            }
            "PUT /api/v1/me/tokens" => {
                let wanted = json!({ "api_token": { "name": "one more" } }).to_string();
                call("/me/tokens".to_owned(), Some(wanted.into_bytes()), "", None)
            }
            "PUT /api/v1/me/crate_owner_invitations/{crate_id}" => {
                let id = self.crate_id;
                let wanted = json!({ "crate_owner_invite": { "crate_id": id, "accepted": true } }).to_string();
                let reads_only = format!("UPDATE users SET role = 'read-only' WHERE id = {user}");
                call(format!("/me/crate_owner_invitations/{id}"), Some(wanted.into_bytes()), "", Some(&reads_only))
            }
            "DELETE /api/v1/me/tokens/{id}" => call(format!("/me/tokens/{other}"), None, &of_user, None),
            "DELETE /api/v1/tokens/current" => call("/tokens/current".to_owned(), None, &of_user, None),
            "POST /api/v1/release-sets" => call("/release-sets".to_owned(), Some(b"{}".to_vec()), "", None),
            "PATCH /api/v1/crates/{crate}" => {
                let wanted = json!({ "crate": { "trustpub_only": true } }).to_string();
                call(format!("/crates/{krate}"), Some(wanted.into_bytes()), "", Some(&admin))
            }
            "POST /api/v1/advisories" => {
                let wanted = json!({ "crate": krate, "title": "x" }).to_string();
                call("/advisories".to_owned(), Some(wanted.into_bytes()), "", Some(&admin))
            }
            "PATCH /api/v1/advisories/{id}" => {
                let wanted = json!({ "title": "y" }).to_string();
                call(format!("/advisories/LATE-{user}"), Some(wanted.into_bytes()), "", Some(&admin))
            }
            "PUT /api/v1/advisories/{id}/withdraw" => {
                let wanted = json!({ "reason": "x" }).to_string();
                call(format!("/advisories/LATE-{user}/withdraw"), Some(wanted.into_bytes()), "", Some(&admin))
            }
            _ if route.contains("/admin/") => self.call_of_admin(route, call),
            _ if route.contains("/trusted_publishing/") => self.call_of_publisher(route, call),
            _ if route.contains("/webhooks") => self.call_of_webhook(route, call),
            _ => self.call_of_set(route, call),
        }
    }

    /// One entry for each route that changes trusted publishers.
    fn call_of_publisher(
        &self,
        route: &str,
        call: impl Fn(String, Option<Vec<u8>>, &str, Option<&String>) -> Call,
    ) -> Call {
        let Self { user, krate, .. } = self;
        let admin = format!("UPDATE users SET is_admin = false WHERE id = {user}");
        // Of no server that would be asked for the account.
        let issuer = "https://github.test";
        let (path, body) = match route {
            "POST /api/v1/trusted_publishing/configs" => (
                "configs".to_owned(),
                Some(json!({ "config": {
                    "crate": krate, "provider": "github", "issuer": issuer, "repository": "a/new", "workflow": "x.yml",
                } })),
            ),
            "POST /api/v1/trusted_publishing/github_configs" => (
                "github_configs".to_owned(),
                Some(json!({ "github_config": {
                    "crate": krate, "issuer": issuer, "repository_owner": "a", "repository_name": "new",
                    "workflow_filename": "x.yml",
                } })),
            ),
            "POST /api/v1/trusted_publishing/gitlab_configs" => (
                "gitlab_configs".to_owned(),
                Some(json!({ "gitlab_config": {
                    "crate": krate, "namespace": "a", "project": "new", "workflow_filepath": "x.yml",
                } })),
            ),
            "DELETE /api/v1/trusted_publishing/configs/{id}" => (format!("configs/{user}"), None),
            "DELETE /api/v1/trusted_publishing/github_configs/{id}" => (format!("github_configs/{user}"), None),
            "DELETE /api/v1/trusted_publishing/gitlab_configs/{id}" => (format!("gitlab_configs/{user}"), None),
            other => panic!("{other} changes something and has no entry here: say how it is attacked"),
        };
        let body = body.map(|body| body.to_string().into_bytes());
        let held_by = if body.is_some() { String::new() } else { format!("crates WHERE name = '{krate}'") };
        call(format!("/trusted_publishing/{path}"), body, &held_by, Some(&admin))
    }

    /// One entry for each route of admins. What is changed has the number of the user in its name.
    fn call_of_admin(
        &self,
        route: &str,
        call: impl Fn(String, Option<Vec<u8>>, &str, Option<&String>) -> Call,
    ) -> Call {
        let Self { user, other, krate, .. } = self;
        let admin = format!("UPDATE users SET is_admin = false WHERE id = {user}");
        let rule = json!({ "upstream": "acme", "crate": krate, "decision": "block", "reason": "x" });
        let token = json!({ "api_token": { "name": "one more" } });
        let (path, body) = match route.split_once("/api/v1/admin/").map(|(method, path)| (method.trim(), path)) {
            Some(("POST", "users")) => ("users".to_owned(), Some(json!({ "login": format!("late{user}") }))),
            Some(("PATCH", "users/{login}")) => (format!("users/target{user}"), Some(json!({ "disabled": true }))),
            Some(("DELETE", "users/{login}")) => (format!("users/target{user}"), None),
            Some(("POST", "users/{login}/sign-in-link")) => {
                (format!("users/target{user}/sign-in-link"), Some(json!({})))
            }
            Some(("DELETE", "users/{login}/sessions")) => (format!("users/target{user}/sessions"), None),
            Some(("POST", "users/{login}/tokens")) => (format!("users/farm{user}/tokens"), Some(token)),
            Some(("DELETE", "tokens/{id}")) => (format!("tokens/{other}"), None),
            Some(("POST", "teams")) => ("teams".to_owned(), Some(json!({ "name": format!("late{user}") }))),
            Some(("DELETE", "teams/{team}")) => (format!("teams/empty{user}"), None),
            Some(("PUT", "teams/{team}/members/{login}")) => (format!("teams/empty{user}/members/target{user}"), None),
            Some(("DELETE", "teams/{team}/members/{login}")) => {
                (format!("teams/full{user}/members/target{user}"), None)
            }
            Some(("PUT", "reserved-names/{name}")) => {
                (format!("reserved-names/late{user}"), Some(json!({ "reason": "x" })))
            }
            Some(("DELETE", "reserved-names/{name}")) => (format!("reserved-names/held{user}"), None),
            Some(("PUT", "crate-limits/{crate}")) => (format!("crate-limits/{krate}"), Some(json!({ "features": 5 }))),
            Some(("PUT", "upstream-rules")) => ("upstream-rules".to_owned(), Some(rule)),
            Some(("DELETE", "upstream-rules")) => (format!("upstream-rules?upstream=acme&crate=held{user}"), None),
            Some(("POST", "jobs/{id}/retry")) => (format!("jobs/{}/retry", 1_000_000 + user), None),
            Some(("POST", "jobs/{id}/discard")) => {
                (format!("jobs/{}/discard", 1_000_000 + user), Some(json!({ "reason": "x" })))
            }
            Some(("POST", "jobs/retry-dead")) => {
                ("jobs/retry-dead".to_owned(), Some(json!({ "kind": format!("late{user}") })))
            }
            _ => panic!("{route} changes something and has no entry here: say how it is attacked"),
        };
        let body = body.map(|body| body.to_string().into_bytes());
        call(format!("/admin/{path}"), body, &format!("users WHERE id = {user}"), Some(&admin))
    }

    /// An admin whose token administers, and one of everything that is changed.
    fn rights_of_admin(&self) -> String {
        let Self { user, token_id, .. } = self;
        format!(
            "UPDATE users SET is_admin = true WHERE id = {user};
             UPDATE api_tokens SET scopes = '{{administer}}' WHERE id = {token_id};
             INSERT INTO users (login, role) VALUES ('target{user}', 'member'), ('farm{user}', 'service');
             INSERT INTO one_time_links (secret_sha256, user_id, expires_at)
             SELECT sha256('link{user}'), id, now() + interval '1 day' FROM users WHERE login = 'target{user}';
             INSERT INTO teams (name) VALUES ('empty{user}'), ('full{user}');
             INSERT INTO team_members (team_id, user_id)
             SELECT teams.id, users.id FROM teams, users WHERE teams.name = 'full{user}' AND login = 'target{user}';
             INSERT INTO reserved_names (canonical_name, reason) VALUES ('held{user}', 'x');
             INSERT INTO upstream_rules (upstream, canonical_name, crate_name, version, decision, reason, actor)
             VALUES ('acme', 'held{user}', 'held{user}', '', 'block', 'x', 'x');
             INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no)
             VALUES (1000000 + {user}, 'index', 'late{user}', 'x', '{{}}', 0, now(), 1, 1)"
        )
    }

    /// An admin whose token administers, and an advisory.
    fn rights_to_advisories(&self) -> String {
        let Self { user, token_id, krate, .. } = self;
        format!(
            "UPDATE users SET is_admin = true WHERE id = {user};
             UPDATE api_tokens SET scopes = '{{administer}}' WHERE id = {token_id};
             INSERT INTO advisory_revisions (number, advisory_id, content, at)
             SELECT coalesce(max(number), 0) + 1, 'LATE-{user}', '{{\"crate\": \"{krate}\", \"title\": \"x\", \"date\": \"2026-01-01\"}}', now()
             FROM advisory_revisions"
        )
    }

    /// One entry for each route that changes webhooks. The user, who owns the crate, has one of that with the number of the user,
    /// and with a delivery of that number.
    fn call_of_webhook(
        &self,
        route: &str,
        call: impl Fn(String, Option<Vec<u8>>, &str, Option<&String>) -> Call,
    ) -> Call {
        let Self { user, krate, .. } = self;
        let owner = format!("DELETE FROM crate_owners WHERE user_id = {user}");
        let url = "https://hook.test";
        let (path, body) = match route {
            // Of no event that others cause.
            "POST /api/v1/webhooks" => {
                (String::new(), Some(json!({ "url": url, "crate": krate, "events": ["webhook.test"] })))
            }
            "PATCH /api/v1/webhooks/{id}" => (format!("/{user}"), Some(json!({ "url": url }))),
            "DELETE /api/v1/webhooks/{id}" => (format!("/{user}"), None),
            "POST /api/v1/webhooks/{id}/pause" => (format!("/{user}/pause"), Some(json!({ "reason": "x" }))),
            "POST /api/v1/webhooks/{id}/resume" => (format!("/{user}/resume"), Some(json!({ "drop": true }))),
            "POST /api/v1/webhooks/{id}/secret" => (format!("/{user}/secret"), Some(json!({}))),
            "POST /api/v1/webhooks/{id}/test" => (format!("/{user}/test"), None),
            "POST /api/v1/webhooks/{id}/deliveries/{delivery}/redeliver" => {
                (format!("/{user}/deliveries/{user}/redeliver"), None)
            }
            other => panic!("{other} changes something and has no entry here: say how it is attacked"),
        };
        let body = body.map(|body| body.to_string().into_bytes());
        let held_by = if body.is_some() { String::new() } else { format!("crates WHERE name = '{krate}'") };
        call(format!("/webhooks{path}"), body, &held_by, Some(&owner))
    }

    /// One entry for each route that changes a release set.
    fn call_of_set(&self, route: &str, call: impl Fn(String, Option<Vec<u8>>, &str, Option<&String>) -> Call) -> Call {
        let Self { user, krate, .. } = self;
        let of_set = format!("release_sets WHERE name = 'set-{krate}'");
        let admin = format!("UPDATE users SET is_admin = false WHERE id = {user}");
        let (path, body) = match route {
            "PATCH /api/v1/release-sets/{set}" => ("", Some(json!({ "title": "x" }))),
            "PUT /api/v1/release-sets/{set}/approve" | "DELETE /api/v1/release-sets/{set}/approve" => {
                ("/approve", None)
            }
            "PUT /api/v1/release-sets/{set}/reject" => ("/reject", Some(json!({ "reason": "x" }))),
            "DELETE /api/v1/release-sets/{set}/crates" => ("/crates", None),
            "DELETE /api/v1/release-sets/{set}/crates/{crate}/{version}" => ("/crates/{crate}/1.0.0", None),
            other => panic!("{other} changes something and has no entry here: say how it is attacked"),
        };
        let path = format!("/release-sets/set-{krate}{}", path.replace("{crate}", krate));
        call(path, body.map(|body| body.to_string().into_bytes()), &of_set, Some(&admin))
    }

    /// What the user may do when the request begins, and no more than the route needs.
    fn rights(&self, route: &str) -> String {
        let Self { user, other, krate, .. } = self;
        let owned = format!("SELECT id, {user} FROM crates WHERE name = '{krate}'");
        match route {
            "PUT /api/v1/crates/new" | "DELETE /api/v1/crates/{crate}" => {
                format!("INSERT INTO crate_owners (crate_id, user_id) {owned}")
            }
            "DELETE /api/v1/crates/new" => format!(
                "INSERT INTO crate_owners (crate_id, user_id) {owned};
                 UPDATE crates SET name = 'no-longer-new' || id WHERE name = 'new';
                 UPDATE crates SET name = 'new' WHERE name = '{krate}'"
            ),
            "DELETE /api/v1/crates/{crate}/{version}/yank" => format!(
                "WITH team AS (INSERT INTO teams (name) VALUES ('team-of-{krate}') RETURNING id),
                      member AS (INSERT INTO team_members (team_id, user_id) SELECT id, {user} FROM team)
                 INSERT INTO crate_team_owners (crate_id, team_id) SELECT crates.id, team.id FROM team, crates WHERE crates.name = '{krate}'"
            ),
            "PUT /api/v1/me/crate_owner_invitations/{crate_id}" => format!(
                "INSERT INTO owner_invitations (crate_id, user_id, invited_by, expires_at)
                 SELECT {}, {user}, id, now() + interval '1 day' FROM users WHERE login = 'first'",
                self.crate_id
            ),
            _ if route.contains("/admin/") => self.rights_of_admin(),
            _ if route.contains("/advisories") => self.rights_to_advisories(),
            _ if route.contains("/webhooks") => format!(
                "INSERT INTO crate_owners (crate_id, user_id) {owned};
                 INSERT INTO webhooks (id, url, crate_id, events, secret, paused_at) OVERRIDING SYSTEM VALUE
                 SELECT {user}, 'https://before.test', id, '{{webhook.test}}', decode(repeat('00', 32), 'hex'), {}
                 FROM crates WHERE name = '{krate}';
                 INSERT INTO webhook_events (id, type, body) OVERRIDING SYSTEM VALUE VALUES ({user}, 'webhook.test', '{{}}');
                 INSERT INTO webhook_deliveries (id, webhook_id, event_id) OVERRIDING SYSTEM VALUE VALUES ({user}, {user}, {user})",
                if route.ends_with("/resume") { "now()" } else { "NULL" }
            ),
            // A set that somebody else created and filled, and that the user has approved.
            _ if route.contains("/release-sets/{set}") => format!(
                "UPDATE users SET is_admin = true WHERE id = {user};
                 INSERT INTO release_sets (name, is_preview, revision, created_by, expires_at)
                 SELECT 'set-{krate}', true, 1, id, now() + interval '1 day' FROM users WHERE login = 'second';
                 INSERT INTO set_approvals (set_id, user_id, token_id, as_admin, revision)
                 SELECT id, {user}, {other}, false, 1 FROM release_sets WHERE name = 'set-{krate}';
                 INSERT INTO staged_changes (set_id, version_id, change, staged_by)
                 SELECT release_sets.id, versions.id, 'yank', release_sets.created_by
                 FROM release_sets, versions JOIN crates ON crates.id = crate_id
                 WHERE release_sets.name = 'set-{krate}' AND crates.name = '{krate}'"
            ),
            // One of each kind that is removed has the number of the user.
            _ if route.contains("/trusted_publishing/") || route == "PATCH /api/v1/crates/{crate}" => {
                let provider = if route.contains("gitlab") { "gitlab" } else { "github" };
                format!(
                    "UPDATE users SET is_admin = true WHERE id = {user};
                     INSERT INTO trusted_issuers (provider, url) VALUES ('github', 'https://github.test') ON CONFLICT DO NOTHING;
                     INSERT INTO trusted_publishers (id, issuer_id, crate_id, repository, rule, stages_only)
                     OVERRIDING SYSTEM VALUE
                     SELECT {user}, trusted_issuers.id, crates.id, 'a/b',
                            CASE provider
                                 WHEN 'github' THEN '{{\"kind\": \"workflow\", \"owner\": \"a\", \"owner_id\": null, \"repository\": \"b\", \"workflow\": \"x.yml\", \"environment\": null}}'::jsonb
                                 ELSE '{{\"kind\": \"pipeline\", \"namespace\": \"a\", \"namespace_id\": null, \"project\": \"b\", \"workflow\": \"x.yml\", \"environment\": null}}'::jsonb
                            END, false
                     FROM trusted_issuers, crates
                     WHERE crates.name = '{krate}' AND provider = '{provider}' AND url <> 'https://github.test'"
                )
            }
            _ => format!("UPDATE users SET is_admin = true WHERE id = {user}"),
        }
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Nullable<Text>)]
    text: Option<String>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Pid {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = Integer)]
    id: i32,
}

struct Bench {
    served: Served,
    connection: PgConnection,
    /// Owns every crate with `second`.
    owner: String,
    crates: u32,
}

impl Bench {
    fn start() -> Self {
        let served =
            Served::start(&["--no-worker", "--publish-wait", "0s", "--upstream", "acme=sparse+http://127.0.0.1:9/"]);
        let owner = served.token("first");
        served.run("admin user create", &["second"]);
        let connection = served.database.connect();
        Self { served, connection, owner, crates: 0 }
    }

    /// A crate with the version 1.0.0, yanked where a route unyanks it, and a user with a token that was never used.
    fn attacker(&mut self, route: &str) -> Attacker {
        self.crates += 1;
        let (krate, login) = (format!("crate{}", self.crates), format!("user{}", self.crates));
        http::publish(&self.served.url, &self.owner, &Package::new(&krate, "1.0.0")).good();
        let crate_id = sql_query(format!("SELECT id FROM crates WHERE name = '{krate}'"));
        let Id { id: crate_id } = crate_id.get_result(&mut self.connection).unwrap();
        let user = users::create(&mut self.connection, &login, None).unwrap();
        let mut token = |name: &str| NewToken::named(name).create(&mut self.connection, user.id).unwrap();
        let (other, _) = token("other");
        let (token, plain) = token("late");
        let attacker = Attacker {
            user: user.id,
            login,
            token: plain.reveal().to_owned(),
            token_id: token.id,
            other: other.id,
            krate,
            crate_id,
        };
        let krate = &attacker.krate;
        let second = format!(
            "INSERT INTO crate_owners (crate_id, user_id)
             SELECT crates.id, users.id FROM crates, users WHERE crates.name = '{krate}' AND login = 'second';
             UPDATE versions SET desired_yanked = {} FROM crates WHERE crates.id = crate_id AND crates.name = '{krate}'",
            route.ends_with("/unyank")
        );
        self.connection.batch_execute(&second).unwrap();
        if route == "DELETE /api/v1/crates/{crate}/{version}/docs" {
            let docs = format!("{}/api/v1/crates/{krate}/1.0.0/docs", self.served.url);
            http::put_bytes_as(&docs, &self.owner, &crate::docs::zip(&[("any/index.html", b"early")])).good();
        }
        self.connection.batch_execute(&attacker.rights(route)).unwrap();
        attacker
    }

    /// A user who may yank every crate: as a member of a team of that name, or as an admin.
    fn somebody(&mut self, login: &str) -> (Caller, i32) {
        let connection = &mut self.connection;
        let user = users::create(connection, login, None).unwrap();
        let team = teams::create(connection, login).unwrap().id;
        let right = match login {
            "no-member" => format!(
                "INSERT INTO team_members (team_id, user_id) VALUES ({team}, {0});
                 INSERT INTO crate_team_owners (crate_id, team_id) SELECT id, {team} FROM crates",
                user.id
            ),
            _ => format!("UPDATE users SET is_admin = true WHERE id = {}", user.id),
        };
        connection.batch_execute(&right).unwrap();
        let (token, _) = NewToken::named("test").create(connection, user.id).unwrap();
        (
            Caller {
                user,
                token,
                address: None,
                connection: ClientConnection::default(),
                request_id: None,
                proven_at: None,
            },
            team,
        )
    }

    /// Everything that a request may change.
    fn state(&mut self) -> String {
        let tables = [
            "versions",
            "version_docs",
            "crates",
            "crate_owners",
            "crate_team_owners",
            "owner_invitations",
            "api_tokens",
            "release_sets",
            "staged_versions",
            "staged_changes",
            "set_approvals",
            "trusted_publishers",
            "webhooks",
            "webhook_deliveries",
            "users",
            "one_time_links",
            "teams",
            "team_members",
            "reserved_names",
            "crate_limits",
            "upstream_rules",
            "jobs",
            "dead_jobs",
            "audit_log",
        ];
        let rows = tables.map(|table| {
            format!("(SELECT jsonb_agg(to_jsonb(one) - 'last_used_at' ORDER BY to_jsonb(one)) FROM {table} AS one)")
        });
        let query = format!("SELECT jsonb_build_array({})::text AS text", rows.join(", "));
        sql_query(query).get_result::<Found>(&mut self.connection).unwrap().text.unwrap()
    }

    fn count(&mut self, query: &str) -> i64 {
        sql_query(format!("SELECT count(*) AS count FROM {query}"))
            .get_result::<Count>(&mut self.connection)
            .unwrap()
            .count
    }

    /// Sends a request, has something lost while it is under way, and answers the status, and whether anything changed
    /// after the loss.
    fn attack(&mut self, route: &str, loss: Loss) -> Option<(u16, bool)> {
        let attacker = self.attacker(route);
        let call = attacker.call(route);
        let (token, user) = (attacker.token_id, attacker.user);
        let lose = match loss {
            Loss::Nothing => "SELECT".to_owned(),
            Loss::Revoked => format!("UPDATE api_tokens SET revoked_at = now() WHERE id = {token}"),
            Loss::Expired => {
                format!("UPDATE api_tokens SET expires_at = clock_timestamp() - interval '1 second' WHERE id = {token}")
            }
            Loss::Disabled => format!("UPDATE users SET disabled_at = now() WHERE id = {user}"),
            Loss::Right => call.loss.clone()?,
        };
        let method = route.split(' ').next().unwrap();
        let body = call.body.as_deref().unwrap_or_default();
        let head = format!(
            "{method} {} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            call.path,
            self.served.address(),
            attacker.token,
            body.len()
        );
        let mut stream = TcpStream::connect(self.served.address()).unwrap();
        let before = match body.split_last() {
            Some((last, others)) => {
                stream.write_all(&[head.as_bytes(), others].concat()).unwrap();
                wait_until("the request to be authenticated", || {
                    self.count(&format!("api_tokens WHERE id = {token} AND last_used_at IS NOT NULL")) == 1
                });
                self.connection.batch_execute(&lose).unwrap();
                let before = self.state();
                stream.write_all(&[*last]).unwrap();
                before
            }
            None => {
                let mut holder = self.served.database.connect();
                holder.batch_execute(&format!("BEGIN; SELECT FROM {} FOR UPDATE", call.held_by)).unwrap();
                let Pid { pid } = sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut holder).unwrap();
                stream.write_all(head.as_bytes()).unwrap();
                self.wait_for_blocked_by(pid);
                holder.batch_execute(&lose).unwrap();
                let state = self.state_after_commit(&mut holder);
                holder.batch_execute("COMMIT").unwrap();
                state
            }
        };
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{route}: {answer}")).parse().unwrap();
        if loss != Loss::Nothing && status == 403 && loss != Loss::Right {
            assert!(answer.contains("before the request was complete, and nothing was changed"), "{route}: {answer}");
        }
        Some((status, self.state() != before))
    }

    /// The state as a transaction sees it that is about to commit.
    fn state_after_commit(&mut self, holder: &mut PgConnection) -> String {
        std::mem::swap(&mut self.connection, holder);
        let state = self.state();
        std::mem::swap(&mut self.connection, holder);
        state
    }

    fn wait_for_blocked_by(&mut self, pid: i32) {
        let blocked = format!("pg_stat_activity WHERE {pid} = ANY(pg_blocking_pids(pid))");
        wait_until("a session to wait for the lock", || self.count(&blocked) > 0);
    }
}

/// The changing routes of the API, as it describes them.
fn changing_routes() -> Vec<String> {
    let paths = openapi::description().paths.paths;
    let mut routes: Vec<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = [
                ("PUT", item.put.is_some()),
                ("POST", item.post.is_some()),
                ("DELETE", item.delete.is_some()),
                ("PATCH", item.patch.is_some()),
            ];
            methods.into_iter().filter(|(_, is_there)| *is_there).map(move |(method, _)| format!("{method} {path}"))
        })
        .collect();
    // An ID token is exchanged without another token, and a token from an exchange is revoked by itself. A device has none before its
    // user has allowed it on a page.
    routes.retain(|route| !route.ends_with(EXCHANGE) && !OPEN.iter().any(|open| route.ends_with(open)));
    // It only reads.
    routes.retain(|route| route != "POST /api/v1/advisories/check");
    routes.sort();
    routes
}

#[test]
fn a_change_is_refused_if_its_token_or_its_right_is_lost_before_the_last_byte() {
    let mut bench = Bench::start();
    let routes = changing_routes();
    assert!(routes.len() >= 18, "{routes:?}");
    let mut attacks = 0;
    for route in &routes {
        let (status, changed) = bench.attack(route, Loss::Nothing).unwrap();
        assert!((200..300).contains(&status) && changed, "{route} is good for something: {status}");
        for loss in [Loss::Revoked, Loss::Expired, Loss::Disabled, Loss::Right] {
            let Some((status, changed)) = bench.attack(route, loss) else { continue };
            assert_eq!((status, changed), (403, false), "{route} with {loss:?}");
            attacks += 1;
        }
    }
    assert!(attacks >= 60, "{attacks}");
}

/// The other half: a change that was begun with a right ends before the right is gone, and one that begins afterwards does
/// not pass whoever takes the right away: else many requests at once could put that off for ever.
#[test]
fn taking_a_right_away_waits_for_the_changes_that_have_begun_with_it_and_for_no_others() {
    let mut bench = Bench::start();
    for name in ["foo", "bar"] {
        http::publish(&bench.served.url, &bench.owner, &Package::new(name, "1.0.0")).good();
    }
    let (foo, bar, num) = ("foo".parse().unwrap(), "bar".parse().unwrap(), "1.0.0".parse().unwrap());
    let admission = Admission::default();
    type Take = fn(&mut PgConnection, &Caller, i32);
    let ways: [(&str, Take); 5] = [
        ("revoked", |connection, caller, _| {
            drop(revocation::revoke(connection, caller.token.id, None).unwrap().unwrap())
        }),
        ("demoted", |connection, caller, _| assert!(users::set_admin(connection, caller.user.id, false).unwrap())),
        ("no-member", |connection, caller, team| {
            assert!(teams::remove_member(connection, team, caller.user.id).unwrap())
        }),
        ("disabled", |connection, caller, _| assert!(users::disable(connection, caller.user.id).unwrap())),
        ("removed", |connection, caller, _| {
            let operator = Actor::operator("root@test".to_owned());
            drop(leaving::remove(connection, &caller.user, &[], Administrator::Operator(&operator)).unwrap().unwrap())
        }),
    ];
    for (login, take) in ways {
        let (caller, team) = bench.somebody(login);
        let connect = || {
            let mut connection = bench.served.database.connect();
            let Pid { pid } = sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut connection).unwrap();
            (connection, pid)
        };
        let ((mut yanking, yanking_pid), (mut taking, taking_pid), (mut late, _)) = (connect(), connect(), connect());
        let (holder, holder_pid) = connect();
        std::thread::scope(|scope| {
            let (requester, foo, bar, num) = ((&caller, &admission), &foo, &bar, &num);
            let caller = &caller;
            // Dropped when the test fails, so that the threads end and the test with them.
            let mut holder = holder;
            let version =
                "SELECT FROM versions JOIN crates ON crates.id = crate_id WHERE name = 'foo' FOR UPDATE OF versions";
            holder.batch_execute(&format!("BEGIN; {version}")).unwrap();
            let yank = scope.spawn(move || {
                yank::request_as(&mut yanking, (foo, num), YankState::of(true), requester, &Completions::default())
                    .map(drop)
            });
            // The yank has confirmed its right, and waits to write the version.
            bench.wait_for_blocked_by(holder_pid);
            let taken = scope.spawn(move || take(&mut taking, caller, team));
            bench.wait_for_blocked_by(yanking_pid);
            assert!(!taken.is_finished(), "{login}");
            let late = scope.spawn(move || {
                yank::request_as(&mut late, (bar, num), YankState::of(true), requester, &Completions::default())
                    .map(drop)
            });
            let blocked = format!("pg_stat_activity WHERE {taking_pid} = ANY(pg_blocking_pids(pid))");
            wait_until("the late change to wait", || late.is_finished() || bench.count(&blocked) > 0);
            assert!(!late.is_finished(), "{login}: a change has passed whoever takes its right away");
            holder.batch_execute("COMMIT").unwrap();
            yank.join().unwrap().unwrap_or_else(|error| panic!("{login}: {error}"));
            taken.join().unwrap();
            match (login, late.join().unwrap().unwrap_err()) {
                ("revoked", RequestError::Refused(ChangeRefusal::Denied(Denied::Revoked { .. }))) => {}
                ("disabled" | "removed", RequestError::Refused(ChangeRefusal::Denied(Denied::Inactive { .. }))) => {}
                ("demoted" | "no-member", RequestError::Refused(ChangeRefusal::NotOwner { .. })) => {}
                (_, other) => panic!("{login}: {other}"),
            }
        });
    }
}

/// Revocations, demotions, new tokens and changes of crates by one user, all at once: whoever waits for a lock gets it.
#[test]
fn changes_of_one_user_at_once_do_not_deadlock() {
    let bench = Bench::start();
    let served = &bench.served;
    http::publish(&served.url, &bench.owner, &Package::new("foo", "1.0.0")).good();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let (url, first) = (&served.url, &bench.owner);
                let mut connection = served.database.connect();
                scope.spawn(move || {
                    let mut statuses = Vec::new();
                    for round in 0..12 {
                        let yank = format!("{url}/api/v1/crates/foo/1.0.0");
                        let owners = json!({ "users": ["second"] });
                        let wanted = json!({ "api_token": { "name": format!("{client} {round}") } });
                        let made = http::put_json_as(&format!("{url}/api/v1/me/tokens"), first, &wanted).good().json();
                        let made = &made["api_token"];
                        let token = made["token"].as_str().unwrap();
                        statuses.push(http::delete_as(&format!("{yank}/yank"), token).status);
                        let change = format!("{url}/api/v1/crates/foo/owners");
                        statuses.push(http::put_json_as(&change, token, &owners).status);
                        // By its own, and by a descendant's right; whichever comes first.
                        let revoke = format!("{url}/api/v1/me/tokens/{}?descendants=true", made["id"]);
                        statuses.push(http::delete_as(&revoke, if round % 2 == 0 { token } else { first }).status);
                        statuses.push(http::put_as(&format!("{yank}/unyank"), first).status);
                        let operator = Actor::operator("root@test".to_owned());
                        set_admin(&mut connection, &operator, "first", round % 2 == 0).unwrap();
                    }
                    statuses
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(statuses.len(), 8 * 12 * 4);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}
