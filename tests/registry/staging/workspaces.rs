//! The real cargo publishes workspaces into sets, builds with them, and builds with what was released.

use serde_json::json;

use crate::support::cargo::{Cargo, toolchains};
use crate::support::http;
use crate::support::process::Served;

fn stage_index(served: &Served, set: &str) -> String {
    format!("sparse+{}/stage/{set}/index/", served.url)
}

/// A cargo whose registry is the index of a set.
fn staging(served: &Served, set: &str, token: &str) -> Cargo {
    Cargo::new(&stage_index(served, set), token)
}

const MEMBERS: [&str; 6] = ["core", "derive", "io", "net", "tool", "suite"];

/// Six crates: a chain, a diamond, and a dev-dependency that leads back.
fn write_workspace(cargo: &Cargo, version: &str) {
    let members = MEMBERS.map(|name| format!("\"acme-{name}\"")).join(", ");
    cargo.write("Cargo.toml", &format!("[workspace]\nresolver = \"2\"\nmembers = [{members}]\n"));
    let on = |names: &[&str]| -> String {
        let line = |name: &&str| {
            format!(
                "acme-{name} = {{ path = \"../acme-{name}\", version = \"{version}\", registry = \"supercargo\" }}\n"
            )
        };
        names.iter().map(line).collect()
    };
    let dependencies = |names: &[&str]| format!("[dependencies]\n{}", on(names));
    let code = format!("pub const VERSION: &str = \"{version}\";\n");
    // Cargo leaves out a dev-dependency that has only a path.
    let back = "[dev-dependencies]\nacme-io = { path = \"../acme-io\" }\n";
    cargo.library("acme-core", version, back, &code);
    cargo.library("acme-derive", version, &dependencies(&["core"]), &code);
    cargo.library("acme-io", version, &dependencies(&["core", "derive"]), &code);
    cargo.library("acme-net", version, &dependencies(&["io"]), &code);
    cargo.library("acme-suite", version, &dependencies(&["net", "derive"]), "pub use acme_net::VERSION;\n");
    cargo.write(
        "acme-tool/Cargo.toml",
        &format!(
            "[package]\nname = \"acme-tool\"\nversion = \"{version}\"\nedition = \"2021\"\ndescription = \"A crate\"\n\
             license = \"MIT\"\n{}",
            dependencies(&["suite"])
        ),
    );
    cargo.write("acme-tool/src/main.rs", "fn main() { println!(\"{}\", acme_suite::VERSION); }\n");
}

const PUBLISH: [&str; 6] = ["publish", "--workspace", "--registry", "supercargo", "--allow-dirty", "--no-verify"];

fn versions_on_main(served: &Served) -> Vec<usize> {
    MEMBERS.map(|name| http::index_lines(&served.url, &format!("ac/me/acme-{name}")).len()).to_vec()
}

#[test]
fn a_workspace_is_staged_mended_previewed_and_released() {
    for toolchain in toolchains() {
        released(toolchain.as_deref());
    }
}

fn released(toolchain: Option<&str>) {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let with = |cargo: Cargo| match toolchain {
        Some(name) => cargo.toolchain(name),
        None => cargo,
    };
    let cargo = with(staging(&served, "acme-1", &token));
    write_workspace(&cargo, "1.0.0");
    // Refused in the middle: a description is required.
    let manifest = std::fs::read_to_string(cargo.path("acme-net/Cargo.toml")).unwrap();
    cargo.write("acme-net/Cargo.toml", &manifest.replace("description = \"A crate\"\n", ""));
    let refused = cargo.bad(".", &PUBLISH);
    assert!(refused.contains("description"), "{refused}");
    assert_eq!(versions_on_main(&served), [0; 6]);
    // Mended, and the rest is published.
    cargo.write("acme-net/Cargo.toml", &manifest);
    let rest = ["net", "suite", "tool"].map(|name| format!("acme-{name}"));
    let packages = rest.iter().flat_map(|name| ["-p", name.as_str()]);
    let arguments: Vec<&str> =
        ["publish", "--registry", "supercargo", "--allow-dirty", "--no-verify"].into_iter().chain(packages).collect();
    let said = cargo.good(".", &arguments);
    assert!(said.contains("is staged in the release set `acme-1`"), "{said}");
    assert_eq!(versions_on_main(&served), [0; 6]);

    // The set builds before it exists.
    let dependent = with(staging(&served, "acme-1", &token));
    dependent.binary(
        "app",
        "[dependencies]\nacme-suite = { version = \"1\", registry = \"supercargo\" }\n",
        "fn main() { println!(\"{}\", acme_suite::VERSION); }\n",
    );
    dependent.good("app", &["build"]);

    // Cargo does not upload what the index shows; out of the set, it is published again.
    assert!(cargo.bad(".", &PUBLISH).contains("already exists"));
    http::delete_as(&format!("{}/api/v1/release-sets/acme-1/crates", served.url), &token).good();
    cargo.good(".", &PUBLISH);

    let approve = format!("{}/api/v1/release-sets/acme-1/approve", served.url);
    let approved = http::put_as(&approve, &token).good().json();
    assert_eq!((&approved["shown"], &approved["release_set"]["state"]), (&json!(true), &json!("approved")));
    assert_eq!(versions_on_main(&served), [1; 6]);
    for index in [format!("sparse+{}/index/", served.url), format!("{}/git/index", served.url)] {
        let user = with(Cargo::new(&index, &token));
        user.binary(
            "app",
            "[dependencies]\nacme-suite = { version = \"1\", registry = \"supercargo\" }\n",
            "fn main() { println!(\"{}\", acme_suite::VERSION); }\n",
        );
        user.good("app", &["build"]);
        user.good(".", &["install", "--registry", "supercargo", "acme-tool", "--root", "installed"]);
    }
    // The lock file in the package names the set's index as the source of its siblings.
    let user = with(Cargo::new(&format!("sparse+{}/index/", served.url), &token));
    user.good(".", &["install", "--locked", "--registry", "supercargo", "acme-tool", "--root", "installed"]);
    let tool = std::process::Command::new(user.path("installed/bin/acme-tool")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&tool.stdout), "1.0.0\n");
}

#[test]
fn a_second_set_with_the_same_version_is_refused_at_once() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    for (set, is_first) in [("one", true), ("two", false)] {
        let cargo = staging(&served, set, &token);
        cargo.library("foo", "1.0.0", "", "");
        let arguments = ["publish", "--registry", "supercargo", "--allow-dirty", "--no-verify"];
        if is_first {
            cargo.good("foo", &arguments);
        } else {
            let refused = cargo.bad("foo", &arguments);
            assert!(refused.contains("`foo@1.0.0` is staged in the release set `one`"), "{refused}");
        }
    }
}

#[test]
fn a_yank_through_the_index_of_a_set_waits_for_its_approval() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let main = Cargo::new(&format!("sparse+{}/index/", served.url), &token);
    main.library("foo", "1.0.0", "", "");
    main.publish("foo");
    let cargo = staging(&served, "fix", &token);
    cargo.library("foo", "1.0.1", "", "");
    cargo.publish("foo");
    cargo.good(".", &["yank", "--registry", "supercargo", "foo@1.0.0"]);
    let lines = || {
        let of =
            |line: &serde_json::Value| (line["vers"].as_str().unwrap().to_owned(), line["yanked"].as_bool().unwrap());
        http::index_lines(&served.url, "3/f/foo").iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(lines(), [("1.0.0".to_owned(), false)]);
    http::put_as(&format!("{}/api/v1/release-sets/fix/approve", served.url), &token).good();
    assert_eq!(lines(), [("1.0.0".to_owned(), true), ("1.0.1".to_owned(), false)]);
}
