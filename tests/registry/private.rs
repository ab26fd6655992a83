//! Private registries (`--auth-required`).

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::support::cargo::{Cargo, said, toolchains};
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

fn private() -> TestRegistry {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    registry.user("ann").publish(&Package::new("foo", "1.0.0")).good();
    registry.run_jobs();
    registry
}

const GUARDED: [&str; 11] = [
    "/index/",
    "/index/config.json",
    "/index/3/f/foo",
    "/index/3/b/bar",
    "/api/v1/crates/foo/1.0.0",
    "/api/v1/crates/foo/1.0.0/download",
    "/api/v1/crates/foo/owners",
    "/api/v1/crates?q=foo",
    "/api/openapi.json",
    "/git/index/info/refs?service=git-upload-pack",
    "/nothing",
];

// protocol: 70, 71, 72
#[test]
fn a_missing_or_invalid_token_is_refused_everywhere() {
    let registry = private();
    let mut bad = registry.anonymous();
    bad.token = Some("sct_0123".to_owned());
    for client in [registry.anonymous(), bad] {
        for path in GUARDED {
            let refused = client.get(path);
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
            let challenge = refused.headers["www-authenticate"].to_str().unwrap();
            if path.starts_with("/git/") {
                assert_eq!(challenge, "Basic realm=\"supercargo\", charset=\"UTF-8\"");
            } else {
                assert_eq!(challenge, "Cargo login_url=\"http://registry.test/me\"");
            }
            assert!(refused.detail().contains("http://registry.test/me"), "{}", refused.detail());
        }
        let publish = client.publish(&Package::new("foo", "1.1.0"));
        assert_eq!(publish.status, StatusCode::UNAUTHORIZED);
    }
    registry.anonymous().get("/me").good();
    // protocol 74: without a provider cargo does not even ask.
    assert!(registry.anonymous().get("/").good().text().contains("credential-provider = &quot;cargo:token&quot;"));
}

#[test]
fn responses_to_a_token_may_not_be_shared_by_caches() {
    let registry = private();
    let bob = registry.user("bob");
    assert_eq!(bob.get("/index/3/f/foo").good().text(), registry.index_file("3/f/foo"));
    assert_eq!(bob.get("/index/3/b/bar").status, StatusCode::NOT_FOUND);
    let file = bob.get("/api/v1/crates/foo/1.0.0/download").good();
    assert_eq!(file.headers["cache-control"], "private, max-age=31536000, immutable");
    bob.get("/git/index/info/refs?service=git-upload-pack").good();
    let basic = Request::get("/index/3/f/foo").header("authorization", {
        use base64::Engine;
        let pair = format!("any:{}", bob.token.as_ref().unwrap());
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    });
    registry.anonymous().send(basic.body(Body::empty()).unwrap()).good();
    let head = bob.request(Method::HEAD, "/index/3/f/foo", Body::empty()).good();
    assert!(head.body.is_empty());
}

/// A library and a program that depends on it, in cargo's directory.
fn write_packages(cargo: &Cargo) {
    cargo.library("lib", "1.0.0", "", "pub const N: u8 = 7;\n");
    let dependency = "[dependencies]\nlib = { version = \"1\", registry = \"supercargo\" }\n";
    cargo.binary("dependent", dependency, "fn main() { println!(\"{}\", lib::N); }\n");
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    // protocol: 7, 23, 70, 71, 72, 73, 74
    #[test]
    fn cargo_uses_a_private_sparse_index_with_a_token_and_says_what_to_do_without_one() {
        let served = Served::start(&["--auth-required"]);
        let token = served.token("ann");
        let index = format!("sparse+{}/index/", served.url);
        let publisher = Cargo::new(&index, &token);
        write_packages(&publisher);
        publisher.good("lib", &["publish", "--registry", "supercargo", "--allow-dirty"]);
        let config = http::get_as(&format!("{}/index/config.json", served.url), &token).good().json();
        assert_eq!(config["auth-required"], true);
        for toolchain in toolchains() {
            let cargo = |token: &str| {
                let cargo = Cargo::new(&index, token);
                let cargo = match &toolchain {
                    Some(toolchain) => cargo.toolchain(toolchain),
                    None => cargo,
                };
                write_packages(&cargo);
                cargo
            };
            assert!(cargo(&token).good("dependent", &["run", "-q"]).contains('7'));
            let mut without = cargo("");
            without.leave_out_the_token();
            let refused = without.bad("dependent", &["run", "-q"]);
            assert!(
                refused.contains("no token found for `supercargo`, please run `cargo login --registry supercargo`"),
                "{refused}"
            );
            let rejected = cargo("sct_wrong").bad("dependent", &["run", "-q"]);
            assert!(rejected.contains("token rejected for `supercargo`"), "{rejected}");
            // `cargo login` tells where to get one.
            let login = without.bad("dependent", &["login", "--registry", "supercargo"]);
            assert!(login.contains(&format!("{}/me", served.url)), "{login}");
        }
    }

    // protocol: 31, 73
    #[test]
    fn cargo_and_git_use_a_private_git_index_with_the_token_as_the_password() {
        let served = Served::start(&["--auth-required"]);
        let token = served.token("ann");
        let publisher = Cargo::new(&format!("sparse+{}/index/", served.url), &token);
        write_packages(&publisher);
        publisher.good("lib", &["publish", "--registry", "supercargo", "--allow-dirty"]);
        for with_cli in ["false", "true"] {
            let cargo = Cargo::new(&format!("{}/git/index", served.url), &token);
            write_packages(&cargo);
            let fetch = format!("net.git-fetch-with-cli={with_cli}");
            let mut run = cargo.command("dependent", &["--config", &fetch, "--config", "net.retry=0", "run", "-q"]);
            let home = cargo.path("person");
            std::fs::create_dir_all(&home).unwrap();
            let rustup = std::env::var_os("RUSTUP_HOME").map(std::path::PathBuf::from);
            let rustup = rustup.or_else(|| std::env::home_dir().map(|home| home.join(".rustup"))).unwrap();
            run.env("HOME", &home).env("RUSTUP_HOME", rustup).env("GIT_TERMINAL_PROMPT", "0");
            let refused = run.output().unwrap();
            assert!(!refused.status.success(), "{}", said(&refused));
            let reason = if with_cli == "true" { "terminal prompts disabled" } else { "failed to authenticate" };
            assert!(said(&refused).contains(reason), "{}", said(&refused));
            let helper =
                format!("[credential]\n\thelper = \"!f() {{ echo username=ann; echo password={token}; }}; f\"\n");
            std::fs::write(home.join(".gitconfig"), helper).unwrap();
            let built = run.output().unwrap();
            assert!(built.status.success() && said(&built).contains('7'), "{}", said(&built));
        }
    }

    // rule: 14
    #[test]
    fn an_address_for_git_is_a_warning_here_and_a_refusal_elsewhere_unless_configured() {
        let package = Package::new("foo", "1.0.0").manifest("repository = \"git@git.example:x.git\"\n");
        for (arguments, status) in [
            (&["--auth-required"][..], 200),
            (&[], 400),
            (&["--metadata-rules", "warn"], 200),
            (&["--auth-required", "--metadata-rules", "strict"], 400),
        ] {
            let served = Served::start(arguments);
            let reply = http::publish(&served.url, &served.token("ann"), &package);
            assert_eq!(reply.status, status, "{arguments:?}: {}", reply.text());
            assert!(reply.text().contains("`repository` is `git@git.example:x.git`"), "{}", reply.text());
        }
    }
}
