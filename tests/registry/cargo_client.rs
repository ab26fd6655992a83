//! The real cargo: publish, build against, yank, and everything a user does in the first hour.

use std::time::Instant;

use supercargo::package::Checksum;
use supercargo::package::index_path::index_path;

use crate::support::cargo::{Cargo, downloaded_crates, toolchains};
use crate::support::http;
use crate::support::process::Served;

fn sparse(served: &Served) -> String {
    format!("sparse+{}/index/", served.url)
}

fn git(served: &Served) -> String {
    format!("{}/git/index", served.url)
}

/// A dependency on a crate of the registry.
fn dependency(name: &str, rest: &str) -> String {
    format!("[dependencies.{name}]\nregistry = \"supercargo\"\n{rest}\n")
}

/// Crates of every kind of name and dependency, published in the order of their dependencies.
fn publish_all_kinds(cargo: &Cargo) {
    for name in ["a", "ab", "abc", "Abcd", "under_score", "hy-phen"] {
        cargo.library(name, "1.0.0", "", "pub fn name() -> &'static str { module_path!() }\n");
        cargo.publish(name);
    }
    cargo.library("built", "1.0.0+build.5", "", "pub const N: u32 = 5;\n");
    cargo.publish("built");
    cargo.library("opt", "0.3.1", "[features]\nextra = []\n", "pub const EXTRA: bool = cfg!(feature = \"extra\");\n");
    cargo.publish("opt");
    let manifest = [
        dependency("renamed", "package = \"under_score\"\nversion = \"1\""),
        dependency("opt", "version = \"0.3\"\noptional = true"),
        dependency("built", "version = \"1\""),
        "[target.'cfg(unix)'.dependencies]\nabc = { version = \"1\", registry = \"supercargo\" }\n".to_owned(),
        "[build-dependencies]\nab = { version = \"1\", registry = \"supercargo\" }\n".to_owned(),
        "[dev-dependencies]\na = { version = \"1\", registry = \"supercargo\" }\n".to_owned(),
        "[features]\ndefault = []\nwith-opt = [\"dep:opt\"]\nextra = [\"opt?/extra\"]\n".to_owned(),
    ]
    .concat();
    cargo.library(
        "Top-Level",
        "2.1.0",
        &manifest,
        "pub fn all() -> String {\n    #[cfg(feature = \"with-opt\")]\n    let extra = opt::EXTRA;\n    #[cfg(not(feature = \"with-opt\"))]\n    let extra = false;\n    format!(\"{} {} {} {extra}\", renamed::name(), abc::name(), built::N)\n}\n",
    );
    cargo.good("Top-Level", &["publish", "--registry", "supercargo", "--allow-dirty"]);
}

fn write_dependent(cargo: &Cargo) {
    let manifest = dependency("Top-Level", "version = \"2\"\nfeatures = [\"with-opt\", \"extra\"]");
    cargo.binary("dependent", &manifest, "fn main() { println!(\"{}\", Top_Level::all()); }\n");
}

const BUILT: &str = "under_score abc 5 true";

// protocol: 79
#[test]
fn a_workspace_is_published_in_one_go() {
    let served = Served::start(&[]);
    let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
    cargo.write("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"one\", \"two\", \"three\"]\n");
    cargo.library("one", "1.0.0", "", "");
    let on = |name: &str| {
        format!("[dependencies]\n{name} = {{ path = \"../{name}\", version = \"1\", registry = \"supercargo\" }}\n")
    };
    cargo.library("two", "1.0.0", &on("one"), "");
    cargo.library("three", "1.0.0", &on("two"), "");
    let begin = Instant::now();
    let said = cargo.good(".", &["publish", "--workspace", "--registry", "supercargo", "--allow-dirty"]);
    println!("three waves in {:?}", begin.elapsed());
    for name in ["one", "two", "three"] {
        assert!(said.contains(&format!("Published {name} v1.0.0")), "{said}");
    }
    assert!(!said.contains("timed out"), "{said}");
}

// protocol: 66, 69
#[test]
fn the_other_commands_find_what_they_ask_for() {
    let served = Served::start(&[]);
    let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
    cargo.binary("tool", "", "fn main() { println!(\"tool works\"); }\n");
    cargo.publish("tool");
    cargo.library("lib-one", "1.0.0", "", "");
    cargo.publish("lib-one");
    served.wait_until_described();
    let info = cargo.good(".", &["info", "--registry", "supercargo", "lib-one"]);
    assert!(info.contains("lib-one") && info.contains("license: MIT"), "{info}");
    let search = |arguments: &[&str]| cargo.good(".", &[&["search", "--registry", "supercargo"], arguments].concat());
    for text in ["lib_one", "lib", "lib-noe"] {
        assert!(search(&[text]).starts_with("lib-one = \"1.0.0\"    # A crate\n"), "{}", search(&[text]));
    }
    let more = search(&["--limit", "1", "crate"]);
    assert!(more.contains("... and 1 crates more"), "{more}");
    assert!(!search(&["größe 🦀"]).contains(" = "));
    cargo.good(".", &["install", "--registry", "supercargo", "tool", "--root", "installed"]);
    let tool = std::process::Command::new(cargo.path("installed/bin/tool")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&tool.stdout), "tool works\n");
    cargo.binary("user", "", "fn main() {}\n");
    // Cargo tries the spelling with a hyphen as well.
    cargo.good("user", &["add", "--registry", "supercargo", "lib_one"]);
    let manifest = std::fs::read_to_string(cargo.path("user/Cargo.toml")).unwrap();
    assert!(manifest.contains("lib-one = { version = \"1.0.0\", registry = \"supercargo\" }"), "{manifest}");
    cargo.good("user", &["vendor"]);
    assert!(cargo.path("user/vendor/lib-one/Cargo.toml").exists());
    let owners = cargo.good(".", &["owner", "--list", "--registry", "supercargo", "tool"]);
    assert!(owners.contains("ann"), "{owners}");
    let dry = cargo.good("tool", &["publish", "--dry-run", "--registry", "supercargo", "--allow-dirty"]);
    assert!(dry.contains("dry run"), "{dry}");
}

// protocol: 46, 54, 56
// rule: 2, 4, 7, 19
#[test]
fn cargo_shows_why_it_was_refused() {
    let served = Served::start(&["--max-crate-size", "100000"]);
    let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
    let publish = ["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"];
    cargo.library("foo", "1.0.0", "", "");
    cargo.publish("foo");
    assert!(cargo.bad("foo", &publish).contains("crate foo@1.0.0 already exists on `supercargo` index"));
    // An older cargo's own check does not see what is yanked, and asks the registry.
    cargo.good(".", &["yank", "--registry", "supercargo", "foo@1.0.0"]);
    let refused = cargo.bad("foo", &publish);
    assert!(
        refused.contains("crate version `foo@1.0.0` is already uploaded: it is published and yanked")
            || refused.contains("already exists on `supercargo` index"),
        "{refused}"
    );
    cargo.library("Foo", "1.1.0", "", "");
    assert!(cargo.bad("Foo", &publish).contains("the crate is called `foo` here"));

    cargo.library("foo", "1.2.0", "", "");
    let noise: String = (0..40_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    cargo.write("foo/noise", &noise);
    let refused = cargo.bad("foo", &publish);
    assert!(refused.contains("413") && refused.contains("100000"), "{refused}");
    std::fs::remove_file(cargo.path("foo/noise")).unwrap();
    cargo.publish("foo");

    let bob = Cargo::new(&sparse(&served), &served.token("bob"));
    bob.library("foo", "1.3.0", "", "");
    assert!(bob.bad("foo", &publish).contains("`bob` is not an owner of the crate `foo`: ask one of its owners (ann)"));
    let stranger = Cargo::new(&sparse(&served), "sct_unknown");
    stranger.library("foo", "1.3.0", "", "");
    let refused = stranger.bad("foo", &publish);
    assert!(refused.contains("the token is unknown to this registry or was revoked"), "{refused}");
    assert!(!refused.contains("sct_unknown"), "{refused}");
}

// protocol: 25, 55
#[test]
fn without_a_worker_cargo_is_told_that_the_publish_is_queued() {
    let served = Served::start(&["--no-worker", "--publish-wait", "10ms"]);
    let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
    cargo.library("foo", "1.0.0", "", "");
    let mut publishing = cargo
        .command("foo", &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Cargo goes on waiting for the index; what matters is said before.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(publishing.stderr.take().unwrap()));
    let warning = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("warning"))).unwrap().unwrap();
    publishing.kill().unwrap();
    publishing.wait().unwrap();
    let status = format!("{}/crates/foo/1.0.0/status", served.url);
    assert!(warning.contains("`foo@1.0.0` is accepted and queued") && warning.ends_with(&status), "{warning}");
}

const OTHERS: usize = 6;

// protocol: 75
#[test]
fn an_index_named_on_the_command_line_is_published_to_with_a_token_from_there() {
    let served = Served::start(&[]);
    let mut cargo = Cargo::new("sparse+http://127.0.0.1:9/index/", "");
    cargo.leave_out_the_token();
    cargo.library("named", "1.0.0", "", "");
    let (index, token) = (sparse(&served), served.token("ann"));
    let publish = ["publish", "--no-verify", "--allow-dirty", "--index", &index];
    let refused = cargo.bad("named", &publish);
    assert!(refused.contains("--token"), "{refused}");
    cargo.good("named", &[&publish[..], &["--token", &token]].concat());
    assert_eq!(http::index_lines(&served.url, "na/me/named").len(), 1);
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    // protocol: 4, 29, 35, 36, 37, 51, 91
    #[test]
    fn what_is_published_builds_through_both_protocols_with_every_cargo_that_is_installed() {
        let toolchains = toolchains();
        println!("cargos: {toolchains:?}");
        let served = Served::start(&[]);
        let token = served.token("ann");
        publish_all_kinds(&Cargo::new(&sparse(&served), &token));
        for toolchain in toolchains {
            for index in [sparse(&served), git(&served)] {
                for fetch_with_cli in ["false", "true"] {
                    let mut cargo = Cargo::new(&index, "");
                    if let Some(toolchain) = &toolchain {
                        cargo = cargo.toolchain(toolchain);
                    }
                    write_dependent(&cargo);
                    let fetch = format!("net.git-fetch-with-cli={fetch_with_cli}");
                    let said = cargo.good("dependent", &["--config", &fetch, "run", "-q"]);
                    assert!(said.contains(BUILT), "{toolchain:?} {index}: {said}");
                    assert!(!said.contains("warning"), "{said}");
                }
            }
        }
    }

    // protocol: 63
    #[test]
    fn a_yanked_version_is_not_resolved_any_more_but_lock_files_go_on() {
        let served = Served::start(&[]);
        let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
        publish_all_kinds(&cargo);
        write_dependent(&cargo);
        cargo.good("dependent", &["generate-lockfile"]);
        for index in [sparse(&served), git(&served)] {
            let builder = Cargo::new(&index, "");
            write_dependent(&builder);
            builder.good("dependent", &["generate-lockfile"]);
            cargo.good(".", &["yank", "--registry", "supercargo", "built@1.0.0+build.5"]);
            builder.forget();
            assert!(builder.good("dependent", &["run", "-q", "--locked"]).contains(BUILT));
            std::fs::remove_file(builder.path("dependent/Cargo.lock")).unwrap();
            let refused = builder.bad("dependent", &["generate-lockfile"]);
            assert!(refused.contains("is yanked") || refused.contains("yanked"), "{refused}");
            cargo.good(".", &["yank", "--undo", "--registry", "supercargo", "built@1.0.0+build.5"]);
            assert!(builder.good("dependent", &["run", "-q"]).contains(BUILT));
        }
    }

    #[test]
    fn a_large_crate_goes_through_and_comes_back() {
        let served = Served::start(&[]);
        let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
        cargo.library("large", "1.0.0", "", "pub const NOISE: &[u8] = include_bytes!(\"../noise\");\n");
        // Nine mebibytes that no compressor makes smaller; curl asks before it sends so much.
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(9 * 1024 * 1024 / 8)
        .flatten()
        .collect();
        std::fs::write(cargo.path("large/noise"), &noise).unwrap();
        cargo.publish("large");
        cargo.binary(
            "user",
            &dependency("large", "version = \"1\""),
            "fn main() { println!(\"{}\", large::NOISE.len()); }\n",
        );
        assert!(cargo.good("user", &["run", "-q"]).contains(&noise.len().to_string()));
    }

    /// Sources that others wrote, published as they are.
    #[test]
    fn crates_of_others_are_published_and_come_back_as_they_were_packed() {
        let served = Served::start(&[]);
        let cargo = Cargo::new(&sparse(&served), &served.token("ann"));
        let mut files: Vec<_> = downloaded_crates();
        files.sort();
        let mut published = 0;
        for file in files {
            if published == OTHERS {
                break;
            }
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let archive = flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap());
            tar::Archive::new(archive).unpack(cargo.path(".")).unwrap();
            let manifest = std::fs::read_to_string(cargo.path(&format!("{name}/Cargo.toml"))).unwrap();
            // Dependencies would be of crates.io, which this cargo can't reach.
            if manifest.lines().any(|line| line.starts_with('[') && line.contains("dependencies")) {
                continue;
            }
            // What cargo adds when it packs, and refuses to find there.
            for made in [".cargo_vcs_info.json", "Cargo.toml.orig", "Cargo.lock"] {
                let _ = std::fs::remove_file(cargo.path(&format!("{name}/{made}")));
            }
            cargo.publish(&name);
            published += 1;
            let (krate, version) = name.rsplit_once('-').unwrap();
            let url = format!("{}/api/v1/crates/{krate}/{version}/download", served.url);
            let bytes = ureq::get(url).call().unwrap().body_mut().read_to_vec().unwrap();
            let index = format!("{}/index/{}", served.url, index_path(&krate.parse().unwrap()));
            let line = ureq::get(index).call().unwrap().body_mut().read_to_string().unwrap();
            assert!(line.contains(&Checksum::of(&bytes).to_string()), "{name}: {line}");
            let mut files = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
            let mut compared = 0;
            for file in files.entries().unwrap() {
                let mut file = file.unwrap();
                let path = file.path().unwrap().into_owned();
                if path.extension().is_some_and(|extension| extension == "rs") {
                    let mut content = Vec::new();
                    std::io::Read::read_to_end(&mut file, &mut content).unwrap();
                    assert_eq!(
                        content,
                        std::fs::read(cargo.path(path.to_str().unwrap())).unwrap(),
                        "{}",
                        path.display()
                    );
                    compared += 1;
                }
            }
            assert!(compared > 0, "{name}");
        }
        assert_eq!(
            published, OTHERS,
            "crates without dependencies in cargo's cache, where building this program puts them"
        );
        println!("published {published} crates of others");
    }
}
