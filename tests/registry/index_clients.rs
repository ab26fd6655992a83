//! Clients that ask for the index in another way than cargo does, or in the wrong place.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::support::harness::{Answer, TestRegistry};
use crate::support::package::Package;

const SPARSE: &str = "index = \"sparse+http://registry.test/index/\"";
const GIT: &str = "index = \"http://registry.test/git/index\"";

fn with_gamma() -> TestRegistry {
    let registry = TestRegistry::new();
    registry.user("ann").publish(&Package::new("Gamma_Lib", "1.0.0")).good();
    registry.run_jobs();
    registry
}

/// What does not differ from one request to the next.
fn fixed(answer: Answer) -> (StatusCode, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (answer.status, headers, answer.body)
}

// protocol: 11
#[test]
fn a_file_is_found_by_the_path_that_a_tool_makes_from_the_name_as_it_is_written() {
    let registry = with_gamma();
    let anyone = registry.anonymous();
    let right = fixed(anyone.get("/index/ga/mm/gamma_lib"));
    assert_eq!(right.0, StatusCode::OK);
    for path in ["Ga/mm/Gamma_Lib", "ga/mm/Gamma_Lib", "GA/MM/GAMMA_LIB", "ga/ma/gamma_lib"] {
        assert_eq!(fixed(anyone.get(&format!("/index/{path}"))), right, "{path}");
    }
    assert_eq!(anyone.get("/index/ga/mm/gamma-lib").status, StatusCode::NOT_FOUND);
    let link = anyone.get("/index/Gamma_Lib");
    assert_eq!(link.status, StatusCode::TEMPORARY_REDIRECT);
    let target = link.headers["location"].to_str().unwrap().strip_prefix("http://registry.test").unwrap().to_owned();
    assert_eq!(anyone.get(&target).good().json()["crate"]["name"], "Gamma_Lib");
}

// protocol: 53
#[test]
fn a_path_with_doubled_slashes_is_served_as_the_right_one() {
    let registry = with_gamma();
    let anyone = registry.anonymous();
    for path in [
        "/",
        "/me",
        "/index/config.json",
        "/index/ga/mm/gamma_lib",
        "/git/index/info/refs?service=git-upload-pack",
        "/api/v1/crates?q=gamma",
        "/api/v1/crates/Gamma_Lib/1.0.0/download",
        "/api/openapi.json",
        "/health/live",
        "/nothing",
        "/config.json",
    ] {
        let (path, query) =
            path.split_once('?').map_or((path, String::new()), |(path, rest)| (path, format!("?{rest}")));
        let right = fixed(anyone.get(&format!("{path}{query}")));
        assert_eq!(fixed(anyone.get(&format!("{}{query}", path.replace('/', "//")))), right, "{path}");
        assert_eq!(fixed(anyone.get(&format!("//{path}{query}"))), right, "{path}");
    }
    let body = Package::new("foo", "1.0.0").body();
    registry.user("ann").request(Method::PUT, "//api//v1/crates//new", body).good();
    registry.run_jobs();
    registry.user("ann").request(Method::DELETE, "/api/v1//crates/foo/1.0.0//yank", Body::empty()).good();
    registry.run_jobs();
    assert!(registry.index_file("3/f/foo").contains("\"yanked\":true"));
}

#[test]
fn doubled_slashes_lead_past_no_guard() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    for path in
        ["//index/config.json", "/index//config.json", "//git//index//info/refs?service=git-upload-pack", "///me/x"]
    {
        let refused = registry.anonymous().get(path);
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        let challenge = refused.headers["www-authenticate"].to_str().unwrap();
        assert_eq!(challenge.starts_with("Basic"), path.contains("git"), "{path}: {challenge}");
    }
    registry.anonymous().get("//me").good();
}

// protocol: 3, 9
#[test]
fn who_looks_for_the_index_in_a_wrong_place_gets_the_line_to_use_and_nothing_else() {
    for auth_required in [false, true] {
        let registry = TestRegistry::with(|settings| settings.auth_required = auth_required);
        let anyone = registry.anonymous();
        for place in ["", "/git", "/git/index", "/git/index.git", "/api/v1/crates", "/index/x"] {
            let answer = anyone.get(&format!("{place}/config.json"));
            assert_eq!(
                (answer.status, &answer.headers["cache-control"]),
                (StatusCode::BAD_REQUEST, &"no-store".parse().unwrap())
            );
            let place = if place.is_empty() { "/" } else { place };
            let expected = format!("there is no sparse index at {place}: in .cargo/config.toml, use {SPARSE}\n");
            assert_eq!(answer.text(), expected);
        }
        for place in ["", "/git", "/git/index.git", "/git/index/x", "/index", "/api/v1/crates"] {
            let answer = anyone.get(&format!("{place}/info/refs?service=git-upload-pack")).good();
            assert_eq!(answer.headers["content-type"], "application/x-git-upload-pack-advertisement");
            let place = if place.is_empty() { "/" } else { place };
            let line = format!(
                "ERR there is no git index at {place}: in .cargo/config.toml, use {SPARSE}, or {GIT} for the git index\n"
            );
            let expected = format!("001e# service=git-upload-pack\n0000{:04x}{line}", line.len() + 4);
            assert_eq!(answer.text(), expected);
        }
        let longest = anyone.get(&format!("/{}/config.json", "x".repeat(9000))).text();
        assert!(longest.len() < 300 && longest.contains(SPARSE), "{longest}");
        for (method, path) in [
            (Method::POST, "/config.json"),
            (Method::GET, "/info/refs"),
            (Method::GET, "/info/refs?service=git-receive-pack"),
        ] {
            let answer = anyone.request(method, path, Body::empty());
            let expected = if auth_required { StatusCode::UNAUTHORIZED } else { StatusCode::NOT_FOUND };
            assert_eq!(answer.status, expected, "{path}");
        }
    }
}

// protocol: 86
#[test]
fn the_pages_exempt_the_registry_from_the_age_that_a_user_requires_of_versions() {
    let registry = TestRegistry::new();
    let home = registry.anonymous().get("/").good().text().replace("&quot;", "\"");
    let snippet = "[registries.supercargo]\nindex = \"sparse+http://registry.test/index/\"\n# min-publish-age = \"0\"  # for cargo 1.100 and later</code></pre>";
    assert!(home.contains(snippet), "{home}");
    assert_eq!(home.matches("min-publish-age = \"0\"").count(), 2, "{home}");
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;
    use crate::support::cargo::{Cargo, toolchains};
    use crate::support::git_remote::{Bare, git};
    use crate::support::http;
    use crate::support::process::{Served, failed, succeeded};

    fn dependent(index: &str, toolchain: Option<&String>) -> Cargo {
        let mut cargo = Cargo::new(index, "");
        cargo.leave_out_the_token();
        if let Some(toolchain) = toolchain {
            cargo = cargo.toolchain(toolchain);
        }
        let dependency = "[dependencies]\nfoo = { version = \"1\", registry = \"supercargo\" }\n";
        cargo.library("dependent", "1.0.0", dependency, "");
        cargo
    }

    // protocol: 3, 9
    #[test]
    fn every_cargo_shows_the_line_to_use_for_each_wrong_url() {
        for arguments in [&[][..], &["--auth-required"]] {
            let served = Served::start(arguments);
            let url = &served.url;
            let (sparse, git) = (format!("index = \"sparse+{url}/index/\""), format!("index = \"{url}/git/index\""));
            for toolchain in toolchains() {
                for place in ["", "/", "/git", "/git/index.git", "/index", "/index/", "/api/v1/crates"] {
                    for fetch_with_cli in ["false", "true"] {
                        let cargo = dependent(&format!("{url}{place}"), toolchain.as_ref());
                        let fetch = format!("net.git-fetch-with-cli={fetch_with_cli}");
                        let said = cargo
                            .bad("dependent", &["--config", &fetch, "--config", "net.retry=0", "generate-lockfile"]);
                        assert!(said.contains(&sparse) && said.contains(&git), "{place} {fetch}: {said}");
                    }
                }
                for place in ["/", "/git/", "/git/index/", "/git/index.git/", "/api/v1/crates/"] {
                    let cargo = dependent(&format!("sparse+{url}{place}"), toolchain.as_ref());
                    let said = cargo.bad("dependent", &["generate-lockfile"]);
                    assert!(said.contains(&sparse), "{place}: {said}");
                }
                // Cargo refuses these itself and sends nothing.
                for place in ["/index", "/git/index"] {
                    let cargo = dependent(&format!("sparse+{url}{place}"), toolchain.as_ref());
                    let said = cargo.bad("dependent", &["generate-lockfile"]);
                    assert!(said.contains("sparse registry url must end in a slash"), "{place}: {said}");
                }
            }
        }
    }

    // protocol: 86
    #[test]
    fn every_cargo_takes_the_configuration_of_the_page_without_a_warning() {
        let served = Served::start(&[]);
        http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
        let home = http::get(&served.url).good().text().replace("&quot;", "\"");
        let blocks = home.split("<code id=\"").filter_map(|part| part.split_once('>')?.1.split("</code>").next());
        let snippets: Vec<&str> = blocks.filter(|text| text.starts_with("[reg")).collect();
        assert_eq!(snippets.len(), 2, "{home}");
        for toolchain in toolchains() {
            for snippet in &snippets {
                let cargo = dependent("sparse+http://127.0.0.1:9/index/", toolchain.as_ref());
                let config = std::fs::read_to_string(cargo.path("home/config.toml")).unwrap();
                let rest = &config[config.find("[registry]").unwrap()..];
                cargo.write("home/config.toml", &format!("{snippet}\n{rest}"));
                let said = cargo.good("dependent", &["generate-lockfile"]);
                assert!(said.contains("Locking 1 package") && !said.contains("warning"), "{toolchain:?}: {said}");
            }
        }
    }

    // protocol: 30
    #[test]
    fn git_shows_why_an_option_is_refused_and_the_log_has_no_warning() {
        let served = Served::start_with_log("info,supercargo=debug", &[]);
        http::publish(&served.url, &served.token("ann"), &Package::new("foo", "1.0.0")).good();
        let index = format!("{}/git/index", served.url);
        let clone = |version: &str, option: &str| {
            let protocol = format!("protocol.version={version}");
            let arguments = ["-c", &protocol, "clone", "-q", "--bare", option, &index, "refused"];
            git(served.directory.path()).args(arguments).output().unwrap()
        };
        for version in ["0", "2"] {
            for (option, reason) in [
                ("--filter=sparse:oid=main:config.json", "the filter `sparse:oid=main:config.json` is not supported"),
                ("--filter=tree:0", "the filter `tree:0` is not supported: use --filter=blob:none"),
                ("--filter=blob:limit=1k", "the filter `blob:limit=1024` is not supported"),
                ("--filter=object:type=commit", "the filter `object:type=commit` is not supported"),
                ("--filter=combine:blob:none+tree:0", "the filter `combine:blob:none+tree:0` is not supported"),
                ("--shallow-exclude=nowhere", "nowhere"),
                ("--shallow-since=2090-01-01", "no commits selected"),
            ] {
                let stderr = failed(clone(version, option), 128);
                assert!(stderr.contains("remote error: ") && stderr.contains(reason), "{version} {option}: {stderr}");
            }
        }
        succeeded(clone("2", "--filter=blob:none"));
        let log = served.log();
        assert!(!log.contains("corruption") && !log.contains("WARN") && !log.contains("ERROR"), "{log}");
    }

    fn heads(url: &str) -> String {
        let arguments = ["-c", "protocol.version=0", "ls-remote", "--symref", url];
        let listed = succeeded(git(&std::env::temp_dir()).args(arguments).output().unwrap());
        let commits: std::collections::BTreeSet<&str> =
            listed.lines().filter(|line| !line.starts_with("ref:")).map(|line| &line[..40]).collect();
        assert_eq!(commits.len(), 1, "all names show one commit: {listed}");
        let names: Vec<&str> = listed.lines().filter_map(|line| line.split('\t').nth(1)).skip(2).collect();
        format!("{} {}", listed.lines().next().unwrap(), names.join(" "))
    }

    const MAIN: &str = "ref: refs/heads/main\tHEAD refs/heads/main refs/heads/master";

    #[test]
    fn the_branch_of_a_local_index_is_named_by_the_option_and_an_older_registry_gets_its_other_names() {
        let mut served = Served::start(&[]);
        let index = |served: &Served| format!("{}/git/index", served.url);
        assert_eq!(heads(&index(&served)), MAIN);
        served.stop();
        // As an earlier version left it.
        std::fs::remove_file(served.data_dir().join("index.git/refs/heads/master")).unwrap();
        served.start_again();
        assert_eq!(heads(&index(&served)), MAIN);
        let publish = |served: &Served, version: &str| {
            let package = Package::new("foo", version);
            assert_eq!(http::publish(&served.url, &served.token("ann"), &package).good().advice(), [""; 0]);
        };
        publish(&served, "1.0.0");
        for (branch, expected) in [
            ("trunk", "ref: refs/heads/trunk\tHEAD refs/heads/main refs/heads/master refs/heads/trunk"),
            ("main", "ref: refs/heads/main\tHEAD refs/heads/main refs/heads/master refs/heads/trunk"),
        ] {
            served.stop();
            served.set_arguments(&["--index-branch", branch]);
            served.start_again();
            publish(&served, &format!("1.0.0-{branch}"));
            assert_eq!(heads(&index(&served)), expected);
            assert_eq!(http::index_lines(&served.url, "3/f/foo").last().unwrap()["vers"], format!("1.0.0-{branch}"));
            served.run("verify", &[]);
        }
        succeeded(git(&served.data_dir().join("index.git")).args(["fsck", "--full", "--strict"]).output().unwrap());
    }

    #[test]
    fn a_mirror_has_the_name_of_the_remote_s_branch_and_the_others_and_pushes_only_that_one() {
        let remote = Bare::new();
        let served = Served::start(&["--index-remote", &remote.url(), "--index-branch", "trunk"]);
        let token = served.token("ann");
        assert_eq!(http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good().advice(), [""; 0]);
        let index = format!("{}/git/index", served.url);
        assert_eq!(heads(&index), "ref: refs/heads/trunk\tHEAD refs/heads/main refs/heads/master refs/heads/trunk");
        let there = succeeded(git(&remote.path()).args(["for-each-ref", "--format=%(refname)"]).output().unwrap());
        assert_eq!(there, "refs/heads/trunk\n");
        served.run("verify", &[]);
    }
}
