//! The API's responses about crates and versions, in the shapes of crates.io.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use supercargo::database::access::teams;

use crate::support::harness::TestRegistry;
use crate::support::package::Package;

/// A registry with ann's `app` 1.0.0 and 2.0.0, with all metadata, and `lib`, on which it depends.
fn registry() -> TestRegistry {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    let manifest = "authors = [\"Ann <ann@example.org>\"]\nhomepage = \"https://example.org\"\nkeywords = [\"Web\", \"http\"]\n\
        categories = [\"web-programming::http-server\"]\nrust-version = \"1.70\"\n\
        [features]\ndefault = [\"fast\"]\nfast = []\n\
        [dependencies]\nlib = { version = \"1\", registry-index = \"sparse+http://registry.test/index/\", optional = true, default-features = false, features = [\"x\"] }\n\
        [target.'cfg(unix)'.dev-dependencies]\nserde_one = { version = \"1.2\", package = \"serde\" }\n";
    let dep = |name: &str, fields: Value| {
        let mut dep = json!({
            "name": name, "version_req": "^1", "features": [], "optional": false, "default_features": true, "target": null,
            "kind": "normal", "registry": null, "explicit_name_in_toml": null,
        });
        for (field, value) in fields.as_object().unwrap() {
            dep[field] = value.clone();
        }
        dep
    };
    let deps = json!([
        dep("lib", json!({ "optional": true, "default_features": false, "features": ["x"] })),
        dep(
            "serde",
            json!({
                "version_req": "^1.2", "kind": "dev", "target": "cfg(unix)", "explicit_name_in_toml": "serde_one",
                "registry": "https://github.com/rust-lang/crates.io-index",
            })
        ),
    ]);
    let app = |version: &str| {
        Package::new("app", version)
            .described("Serves pages")
            .manifest(manifest)
            .metadata("deps", deps.clone())
            .metadata("authors", json!(["Ann <ann@example.org>"]))
            .metadata("homepage", json!("https://example.org"))
            .metadata("keywords", json!(["Web", "http"]))
            .metadata("categories", json!(["web-programming::http-server"]))
            .metadata("rust_version", json!("1.70"))
            .metadata("features", json!({ "default": ["fast"], "fast": [] }))
            .metadata("readme", json!("# App\n\n<script>alert(1)</script>\n"))
    };
    for package in [Package::new("lib", "1.0.0"), app("1.0.0"), app("2.0.0")] {
        ann.publish(&package).good();
    }
    registry.run_jobs();
    registry
}

fn get(registry: &TestRegistry, path: &str) -> Value {
    registry.anonymous().get(&format!("/api/v1/{path}")).good().json()
}

/// The JSON without values that change with each run.
fn steady(mut value: Value) -> String {
    const CHANGING: [&str; 10] = [
        "id",
        "version_id",
        "versions",
        "created_at",
        "updated_at",
        "published_at",
        "index_commit",
        "checksum",
        "crate_size",
        "time",
    ];
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    if CHANGING.contains(&name.as_str()) && !field.is_array() {
                        assert!(!field.is_null() || name == "versions", "{name}");
                        *field = json!("…");
                    }
                    strip(field);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn a_crate_is_described_by_its_default_version() {
    let registry = registry();
    let answer = get(&registry, "crates/APP");
    let ids = answer["crate"]["versions"].as_array().unwrap().clone();
    let versions = answer["versions"].as_array().unwrap();
    assert_eq!(versions.iter().map(|version| version["id"].clone()).collect::<Vec<_>>(), ids);
    assert_eq!((&versions[0]["num"], &versions[1]["num"]), (&json!("2.0.0"), &json!("1.0.0")));
    let mut krate = answer["crate"].clone();
    krate["versions"] = Value::Null;
    insta::assert_snapshot!(steady(krate), @r#"
    {
      "id": "…",
      "name": "app",
      "updated_at": "…",
      "created_at": "…",
      "versions": "…",
      "keywords": [
        "web",
        "http"
      ],
      "categories": [
        "web-programming::http-server"
      ],
      "badges": [],
      "downloads": 0,
      "recent_downloads": 0,
      "default_version": "2.0.0",
      "num_versions": 2,
      "yanked": false,
      "max_version": "2.0.0",
      "newest_version": "2.0.0",
      "max_stable_version": "2.0.0",
      "description": "Serves pages",
      "homepage": "https://example.org",
      "documentation": null,
      "repository": null,
      "links": {
        "version_downloads": "/api/v1/crates/app/downloads",
        "versions": "…",
        "owners": "/api/v1/crates/app/owners",
        "owner_team": "/api/v1/crates/app/owner_team",
        "owner_user": "/api/v1/crates/app/owner_user",
        "reverse_dependencies": "/api/v1/crates/app/reverse_dependencies"
      },
      "exact_match": false,
      "trustpub_only": false
    }
    "#);
    insta::assert_snapshot!(steady(json!([answer["keywords"], answer["categories"]])), @r#"
    [
      [
        {
          "id": "…",
          "keyword": "http",
          "created_at": "…",
          "crates_cnt": 1
        },
        {
          "id": "…",
          "keyword": "web",
          "created_at": "…",
          "crates_cnt": 1
        }
      ],
      [
        {
          "id": "…",
          "category": "http-server",
          "slug": "web-programming::http-server",
          "description": "",
          "created_at": "…",
          "crates_cnt": 1
        }
      ]
    ]
    "#);
}

#[test]
fn the_query_selects_what_is_included_with_a_crate() {
    let registry = registry();
    let included = |include: &str| {
        let answer = get(&registry, &format!("crates/app?include={include}"));
        ["versions", "keywords", "categories"].map(|field| !answer[field].is_null())
    };
    assert_eq!(included(""), [false, false, false]);
    assert_eq!(included("keywords,downloads"), [false, true, false]);
    assert_eq!(included("versions,categories"), [true, false, true]);
    let only_default = get(&registry, "crates/app?include=default_version");
    assert_eq!(only_default["versions"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&only_default["versions"][0]["num"], &only_default["crate"]["versions"]),
        (&json!("2.0.0"), &Value::Null)
    );
    assert_eq!(only_default["crate"]["links"]["versions"], "/api/v1/crates/app/versions");
    let refused = registry.anonymous().get("/api/v1/crates/app?include=all");
    assert_eq!((refused.status, refused.detail().contains("`all`")), (StatusCode::BAD_REQUEST, true));
    assert_eq!(get(&registry, "crates/app?include=")["crate"]["links"]["versions"], "/api/v1/crates/app/versions");
}

#[test]
fn a_version_is_shown_with_the_metadata_of_its_manifest() {
    let registry = registry();
    insta::assert_snapshot!(steady(get(&registry, "crates/app/2.0.0")), @r#"
    {
      "version": {
        "id": "…",
        "crate": "app",
        "num": "2.0.0",
        "dl_path": "/api/v1/crates/app/2.0.0/download",
        "readme_path": "/api/v1/crates/app/2.0.0/readme",
        "updated_at": "…",
        "created_at": "…",
        "downloads": 0,
        "features": {
          "default": [
            "fast"
          ],
          "fast": []
        },
        "yanked": false,
        "yank_message": null,
        "lib_links": null,
        "license": "MIT",
        "license_file": null,
        "links": {
          "dependencies": "/api/v1/crates/app/2.0.0/dependencies",
          "version_downloads": "/api/v1/crates/app/2.0.0/downloads",
          "authors": "/api/v1/crates/app/2.0.0/authors"
        },
        "crate_size": "…",
        "published_by": {
          "id": "…",
          "login": "ann",
          "name": null,
          "avatar": null,
          "url": "http://registry.test/api/v1/users/ann",
          "created_at": "…"
        },
        "audit_actions": [
          {
            "action": "publish",
            "user": {
              "id": "…",
              "login": "ann",
              "name": null,
              "avatar": null,
              "url": "http://registry.test/api/v1/users/ann",
              "created_at": "…"
            },
            "time": "…"
          }
        ],
        "checksum": "…",
        "rust_version": "1.70",
        "has_lib": true,
        "bin_names": [],
        "edition": "2021",
        "description": "Serves pages",
        "homepage": "https://example.org",
        "documentation": null,
        "docs_url": null,
        "repository": null,
        "trustpub_data": null,
        "provenance": null,
        "linecounts": null,
        "state": "published",
        "published_at": "…",
        "index_commit": "…"
      }
    }
    "#);
}

#[test]
fn dependencies_are_listed_as_the_manifest_has_them() {
    let registry = registry();
    insta::assert_snapshot!(steady(get(&registry, "crates/app/2.0.0/dependencies")), @r#"
    {
      "dependencies": [
        {
          "id": "…",
          "version_id": "…",
          "crate_id": "lib",
          "req": "^1",
          "optional": true,
          "default_features": false,
          "features": [
            "x"
          ],
          "target": null,
          "kind": "normal",
          "downloads": 0,
          "explicit_name_in_toml": null,
          "registry": null
        },
        {
          "id": "…",
          "version_id": "…",
          "crate_id": "serde",
          "req": "^1.2",
          "optional": false,
          "default_features": true,
          "features": [],
          "target": "cfg(unix)",
          "kind": "dev",
          "downloads": 0,
          "explicit_name_in_toml": "serde_one",
          "registry": "https://github.com/rust-lang/crates.io-index"
        }
      ]
    }
    "#);
    assert_eq!(get(&registry, "crates/lib/1.0.0/dependencies"), json!({ "dependencies": [] }));
}

#[test]
fn dependents_are_the_crates_whose_default_version_depends() {
    let registry = registry();
    let answer = get(&registry, "crates/lib/reverse_dependencies");
    assert_eq!(answer["meta"]["total"], 1);
    let (dependency, version) = (&answer["dependencies"][0], &answer["versions"][0]);
    assert_eq!((&version["crate"], &version["num"]), (&json!("app"), &json!("2.0.0")));
    assert_eq!((&dependency["crate_id"], &dependency["version_id"]), (&json!("lib"), &version["id"]));
    // The newest one without it becomes the default one.
    registry.user("ann").publish(&Package::new("app", "2.1.0")).good();
    registry.run_jobs();
    assert_eq!(get(&registry, "crates/lib/reverse_dependencies")["meta"]["total"], 0);
    registry.user("ann").yank("app", "2.1.0").good();
    registry.run_jobs();
    assert_eq!(get(&registry, "crates/lib/reverse_dependencies")["meta"]["total"], 1);
}

#[test]
fn versions_are_listed_by_number_or_by_date_all_or_in_pages() {
    let registry = registry();
    registry.user("ann").publish(&Package::new("app", "1.5.0")).good();
    registry.run_jobs();
    let nums = |query: &str| -> Vec<String> {
        let answer = get(&registry, &format!("crates/app/versions{query}"));
        assert_eq!(answer["meta"]["total"], 3);
        answer["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| version["num"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(nums(""), ["2.0.0", "1.5.0", "1.0.0"]);
    assert_eq!(nums("?sort=date"), ["1.5.0", "2.0.0", "1.0.0"]);
    assert_eq!(nums("?per_page=2&page=2"), ["1.0.0"]);
}

#[test]
fn a_readme_is_sent_as_text_that_a_browser_does_not_run() {
    let registry = registry();
    let answer = registry.anonymous().get("/api/v1/crates/app/2.0.0/readme").good();
    assert_eq!(answer.text(), "# App\n\n<script>alert(1)</script>\n");
    assert_eq!(answer.headers["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers["content-security-policy"], "default-src 'none'; sandbox");
    let missing = registry.anonymous().get("/api/v1/crates/lib/1.0.0/readme");
    assert_eq!((missing.status, missing.detail()), (StatusCode::NOT_FOUND, "lib@1.0.0 has no README".to_owned()));
}

#[test]
fn authors_users_owners_and_teams_are_shown() {
    let registry = registry();
    assert_eq!(
        get(&registry, "crates/app/2.0.0/authors"),
        json!({ "users": [], "meta": { "names": ["Ann <ann@example.org>"] } })
    );
    let user = get(&registry, "users/ANN")["user"].clone();
    assert_eq!((&user["login"], &user["url"]), (&json!("ann"), &json!("http://registry.test/api/v1/users/ann")));
    let owner = &get(&registry, "crates/app/owner_user")["users"][0];
    assert_eq!((&owner["id"], &owner["kind"]), (&user["id"], &json!("user")));
    assert_eq!(get(&registry, "crates/app/owner_team"), json!({ "teams": [] }));
    registry.pool.with(|connection| teams::create(connection, "devs").unwrap()).unwrap();
    let change = json!({ "users": ["team:devs"] }).to_string();
    registry.user("ann").request(Method::PUT, "/api/v1/crates/app/owners", change).good();
    let mut team = get(&registry, "crates/app/owner_team")["teams"][0].clone();
    assert_eq!((&team["login"], &team["kind"]), (&json!("team:devs"), &json!("team")));
    team.as_object_mut().unwrap().remove("kind");
    assert_eq!(get(&registry, "teams/team:DEVS"), json!({ "team": team }));
    assert_eq!(
        team,
        json!({
            "id": team["id"], "login": "team:devs", "name": "devs", "avatar": null,
            "url": "http://registry.test/api/v1/teams/team:devs",
        })
    );
    for path in [
        "teams/devs",
        "teams/team:ops",
        "teams/team:%00",
        "users/nobody",
        "users/%00",
        "keywords/%00",
        "keywords/none",
        "categories/%00",
    ] {
        assert_eq!(registry.anonymous().get(&format!("/api/v1/{path}")).status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn keywords_and_categories_are_those_that_crates_name() {
    let registry = registry();
    registry
        .user("ann")
        .publish(
            &Package::new("other", "1.0.0").manifest("keywords = [\"web\"]\n").metadata("keywords", json!(["web"])),
        )
        .good();
    registry.run_jobs();
    let keywords = get(&registry, "keywords?sort=crates");
    let found: Vec<_> =
        keywords["keywords"].as_array().unwrap().iter().map(|one| (&one["keyword"], &one["crates_cnt"])).collect();
    assert_eq!(found, [(&json!("web"), &json!(2)), (&json!("http"), &json!(1))]);
    assert_eq!(keywords["meta"]["total"], 2);
    assert_eq!(get(&registry, "keywords/WEB")["keyword"]["crates_cnt"], 2);
    // Only the topmost ones are listed.
    assert_eq!(get(&registry, "categories?per_page=1")["categories"][0]["category"], "web-programming");
    assert_eq!(get(&registry, "categories/web-programming::http-server")["category"]["crates_cnt"], 1);
}

/// Unlike `/categories`, whether or not a crate names them.
#[test]
fn the_known_categories_are_listed() {
    let slugs = get(&TestRegistry::new(), "category_slugs")["category_slugs"].clone();
    let slugs: Vec<_> = slugs.as_array().unwrap().iter().collect();
    assert!(slugs.len() > 90 && slugs.is_sorted_by_key(|one| one["slug"].as_str()));
    let wanted = json!({ "id": "parsing", "slug": "parsing", "description": "" });
    assert!(slugs.contains(&&wanted), "{slugs:?}");
}

#[test]
fn the_site_metadata_name_the_version_and_say_whether_anything_can_be_changed() {
    let registry = TestRegistry::new();
    let version = option_env!("SUPERCARGO_COMMIT").unwrap_or(env!("CARGO_PKG_VERSION"));
    let expected = |read_only: bool| json!({ "deployed_sha": version, "commit": version, "read_only": read_only });
    assert_eq!(get(&registry, "site_metadata"), expected(false));
    let read_only = |value: &str| format!("SET LOCAL transaction_read_only = {value}");
    registry.pool.with(|connection| connection.batch_execute(&read_only("on")).unwrap()).unwrap();
    assert_eq!(get(&registry, "site_metadata"), expected(true));
}

#[test]
fn a_category_is_shown_with_those_above_and_below_it() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    for (name, categories) in [
        ("one", vec!["a::b::c"]),
        ("two", vec!["a", "a::b"]),
        ("three", vec!["a::d", "a::d::x", "a::d::y"]),
        ("four", vec!["a-b", "a:"]),
    ] {
        let categories = json!(categories);
        let package = Package::new(name, "1.0.0").manifest(&format!("categories = {categories}\n"));
        ann.publish(&package.metadata("categories", categories)).good();
    }
    registry.run_jobs();
    let family = |slug: &str| {
        let category = get(&registry, &format!("categories/{slug}"))["category"].take();
        let named = |field: &str| -> Vec<String> {
            let all = category[field].as_array().unwrap().iter();
            all.map(|one| {
                assert!(one.get("subcategories").is_none(), "{one}");
                format!("{} {}", one["slug"].as_str().unwrap(), one["crates_cnt"])
            })
            .collect()
        };
        (named("parent_categories"), category["crates_cnt"].clone(), named("subcategories"))
    };
    let expect = |above: &[&str], own: i32, below: &[&str]| {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        (texts(above), json!(own), texts(below))
    };
    assert_eq!(family("a"), expect(&[], 3, &["a::b 2", "a::d 1"]));
    assert_eq!(family("A::b"), expect(&["a 3"], 2, &["a::b::c 1"]));
    assert_eq!(family("a::b::c"), expect(&["a 3", "a::b 2"], 1, &[]));
    assert_eq!(registry.anonymous().get("/api/v1/categories/a::e").status, StatusCode::NOT_FOUND);
    let all = get(&registry, "categories");
    let slugs: Vec<&Value> = all["categories"].as_array().unwrap().iter().map(|one| &one["slug"]).collect();
    assert_eq!((slugs, &all["meta"]["total"]), (vec![&json!("a"), &json!("a-b"), &json!("a:")], &json!(3)));
    assert!(all["categories"][0].get("parent_categories").is_none());
}

#[test]
fn the_summary_has_counts_and_top_lists() {
    let registry = registry();
    registry.count_downloads(&[("lib", "1.0.0", 2), ("app", "1.0.0", 1)]);
    let summary = get(&registry, "summary");
    assert_eq!((&summary["num_crates"], &summary["num_downloads"]), (&json!(2), &json!(3)));
    for (list, first) in [
        ("most_downloaded", "lib"),
        ("most_recently_downloaded", "lib"),
        ("new_crates", "app"),
        ("just_updated", "app"),
    ] {
        assert_eq!((summary[list].as_array().unwrap().len(), &summary[list][0]["name"]), (2, &json!(first)), "{list}");
    }
    assert_eq!(summary["popular_keywords"].as_array().unwrap().len(), 2);
    assert_eq!(summary["popular_categories"][0]["slug"], "web-programming");
}

// protocol: 59
#[test]
fn a_crate_may_be_named_like_a_route() {
    let registry = TestRegistry::new();
    for name in ["new", "owners", "download", "versions"] {
        registry.user("ann").publish(&Package::new(name, "1.0.0")).good();
    }
    registry.run_jobs();
    for name in ["new", "owners", "download", "versions"] {
        assert_eq!(get(&registry, &format!("crates/{name}"))["crate"]["name"], name);
        assert_eq!(get(&registry, &format!("crates/{name}/versions"))["meta"]["total"], 1);
        assert_eq!(get(&registry, &format!("crates/{name}/1.0.0"))["version"]["crate"], name);
    }
}

#[test]
fn a_client_that_accepts_json_gets_the_url_of_a_crate_file() {
    let registry = registry();
    let path = "/api/v1/crates/lib/1.0.0/download";
    let json = |path: &str| {
        let request = Request::get(path).header("accept", "application/json").body(Body::empty()).unwrap();
        registry.anonymous().send(request)
    };
    assert_eq!(json(path).good().json(), json!({ "url": format!("http://registry.test{path}") }));
    assert_eq!(json("/api/v1/crates/lib/9.0.0/download").status, StatusCode::NOT_FOUND);
    // A cache keeps both apart.
    assert_eq!(json(path).headers["vary"], "accept");
    assert_eq!(registry.anonymous().get(path).good().headers["vary"], "accept");
}

/// Cargo reads a response with `errors` as a failure, whatever its status.
// protocol: 47
#[test]
fn no_successful_response_has_errors() {
    let registry = registry();
    let mut paths = ["crates", "crates?q=app", "summary", "keywords", "keywords/web", "categories", "users/ann"]
        .into_iter()
        .chain(["category_slugs", "site_metadata", "webhooks/events"])
        .map(str::to_owned)
        .collect::<Vec<_>>();
    paths.extend(
        ["", "/versions", "/downloads", "/reverse_dependencies", "/owners", "/owner_user", "/owner_team", "/2.0.0"]
            .map(|path| format!("crates/app{path}")),
    );
    paths.extend(["/dependencies", "/authors", "/downloads", "/status"].map(|path| format!("crates/app/2.0.0{path}")));
    for path in paths {
        let answer = get(&registry, &path);
        assert!(answer.is_object() && answer.get("errors").is_none(), "{path}: {answer}");
    }
    let ann = registry.user("ann");
    let lists = ["me/crate_owner_invitations", "crates/lib/owner_invitations"];
    let lists = lists.map(|path| ann.get(&format!("/api/v1/{path}")));
    let changes = [ann.publish(&Package::new("lib", "1.1.0")), ann.yank("lib", "1.0.0"), ann.unyank("lib", "1.0.0")];
    for answer in lists.into_iter().chain(changes).map(|answer| answer.good().json()) {
        assert!(answer.get("errors").is_none(), "{answer}");
    }
    registry.run_jobs();
}
