//! `supercargo docs push`, with what cargo itself writes.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::http;
use crate::support::package::Package;
use crate::support::process::{Served, failed, succeeded, supercargo};

/// A package whose library has another name, documented.
fn package(at: &Path) {
    std::fs::create_dir_all(at.join("src")).unwrap();
    let manifest = "[package]\nname = \"foo\"\nversion = \"1.0.0\"\nedition = \"2021\"\npublish = [\"company\"]\n[lib]\nname = \"other\"\n[workspace]\n";
    std::fs::write(at.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(at.join("src/lib.rs"), "//! Of foo.\n\n/// A boat.\npub struct Boat;\n").unwrap();
    let done = Command::new("cargo")
        .args(["doc", "--no-deps", "--offline"])
        .current_dir(at)
        .env("CARGO_TARGET_DIR", at.join("target"))
        .output();
    succeeded(done.unwrap());
}

fn push(at: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = supercargo();
    command.args(["docs", "push"]).args(arguments).current_dir(at).env("CARGO_TARGET_DIR", at.join("target"));
    command.env("CARGO_HOME", at.join("home")).env_remove("SUPERCARGO_URL").env_remove("SUPERCARGO_TOKEN");
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn what_cargo_doc_wrote_is_pushed_from_the_directory_of_the_package() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    package(at);
    let index = format!("sparse+{}/index/", served.url);
    let variables = [("CARGO_REGISTRIES_COMPANY_INDEX", &*index), ("CARGO_REGISTRIES_COMPANY_TOKEN", &*token)];
    let said = succeeded(push(at, &[], &variables));
    assert!(said.starts_with("uploaded the documentation of foo 1.0.0 ("), "{said}");
    assert!(said.ends_with(&format!("{}/docs/foo/1.0.0/\n", served.url)), "{said}");
    let page = http::get(&format!("{}/docs/foo/1.0.0/other/", served.url)).good().text();
    assert!(page.contains("struct.Boat.html"), "{page}");
    // The same again, with the registry and the version given, and without a package.
    let elsewhere = tempfile::tempdir().unwrap();
    let token_file = elsewhere.path().join("token");
    std::fs::write(&token_file, format!("{token}\n")).unwrap();
    let (docs, file) = (at.join("target/doc"), token_file.to_str().unwrap());
    let named = [
        "--crate",
        "foo",
        "--version",
        "1.0.0",
        "--dir",
        docs.to_str().unwrap(),
        "--url",
        &served.url,
        "--token-file",
        file,
    ];
    let said = succeeded(push(elsewhere.path(), &named, &[]));
    assert!(said.starts_with("replaced the documentation of foo 1.0.0 ("), "{said}");
    let mut delete = supercargo();
    delete
        .args(["docs", "delete", "--crate", "foo", "--version", "1.0.0", "--url", &served.url])
        .env("SUPERCARGO_TOKEN", &token);
    assert_eq!(succeeded(delete.output().unwrap()), "deleted the documentation of foo 1.0.0\n");
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| failed(push(at, arguments, variables), 1);
    let named = ["--crate", "foo", "--version", "1.0.0", "--dir", "."];
    let said = refused(&named, &[]);
    assert!(said.contains("which registry is not known: give --registry"), "{said}");
    let said = refused(&[&named[..], &["--registry", "company"]].concat(), &[]);
    assert!(said.contains("no registry \"company\"") && said.contains("CARGO_REGISTRIES_COMPANY_INDEX"), "{said}");
    let said = refused(&[&named[..], &["--url", "http://127.0.0.1:9"]].concat(), &[]);
    assert!(said.contains("there is no token") && said.contains("publish-docs"), "{said}");
    let said = refused(&[&named[..], &["--url", "http://registry.example"]].concat(), &[("SUPERCARGO_TOKEN", "sct_x")]);
    assert!(said.contains("is not https"), "{said}");
    let said = refused(&["--url", "http://127.0.0.1:9"], &[("SUPERCARGO_TOKEN", "sct_x")]);
    assert!(said.contains("`cargo metadata`") && said.contains("give --crate, --version"), "{said}");
    let missing = ["--crate", "foo", "--version", "1.0.0", "--dir", "target/doc", "--url", "http://127.0.0.1:9"];
    let said = refused(&missing, &[("SUPERCARGO_TOKEN", "sct_x")]);
    assert!(said.contains("run `cargo doc --no-deps` first"), "{said}");
}
