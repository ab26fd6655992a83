//! The layers of the code, held against what the code says: a module uses only modules of lower layers.
//!
//! What is looked at is the text of `src`, without comments, strings' contents included, and without tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Layers from the bottom; what stands on one line knows nothing of its neighbours.
const LAYERS: [&[&str]; 5] = [
    &["package"],
    // Options name limits of packages.
    &["config", "crate_store", "database", "index", "queue"],
    &["jobs"],
    &["admin", "monitor", "web"],
    &["commands"],
];

/// Files outside `web` that may be async, and why.
const ASYNC: [(&str, &str); 2] = [
    ("crate_store.rs", "waits for the async interface of the object store"),
    ("commands/serve.rs", "starts and stops the runtime that the web runs in"),
];

/// Files outside `config` that may ask the environment, and why.
const ENVIRONMENT: [(&str, &str); 1] = [("commands/with.rs", "finds its own program to run it as the registry")];

fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| name.ends_with(".rs") && !is_test(name))
        .map(|(name, path)| (name, code_of(&std::fs::read_to_string(path).unwrap())))
        .collect()
}

/// Test modules stand in files and directories of that name; samples are built for tests only.
fn is_test(name: &str) -> bool {
    name.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "sample.rs"))
}

/// The lines before the tests, comment lines left out.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The modules of the crate that a text names by `crate::`.
fn used(code: &str) -> BTreeSet<&str> {
    code.match_indices("crate::")
        .map(|(place, found)| &code[place + found.len()..])
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default())
        .filter(|module| !module.is_empty())
        .collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// What is wrong with the uses of one file.
fn wrong_uses(file: &str, code: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(layer) = layer_of(module) else { return vec![format!("{file}: {module} is in no layer")] };
    used(code)
        .into_iter()
        .filter(|&other| other != module)
        .filter(|other| layer_of(other).is_none_or(|of_other| of_other >= layer))
        .map(|other| format!("{file} uses {other}"))
        .collect()
}

fn lines_with<'a>(code: &'a str, words: &'a [&str]) -> impl Iterator<Item = &'a str> {
    code.lines().filter(move |line| words.iter().any(|word| line.contains(word)))
}

fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_module_uses_only_lower_layers() {
    let files = sources();
    assert!(files.len() > 50);
    let modules = files.iter().filter(|(name, _)| !matches!(&**name, "lib.rs" | "main.rs"));
    assert_none(modules.flat_map(|(name, code)| wrong_uses(name, code)).collect());
    assert_eq!(wrong_uses("queue/runner.rs", "use crate::database::Pool;"), ["queue/runner.rs uses database"]);
    assert_eq!(wrong_uses("web/state.rs", "crate::admin::x(crate::jobs::y)"), ["web/state.rs uses admin"]);
    assert_eq!(wrong_uses("helpers.rs", ""), ["helpers.rs: helpers is in no layer"]);
}

#[test]
fn only_the_web_is_async() {
    let others = sources().into_iter().filter(|(name, _)| module_of(name) != "web");
    let wrong =
        others.filter(|(name, _)| !ASYNC.iter().any(|(allowed, _)| allowed == name)).flat_map(|(name, code)| {
            let found: Vec<_> =
                lines_with(&code, &["async ", ".await"]).map(|line| format!("{name}: {line}")).collect();
            found
        });
    assert_none(wrong.collect());
}

#[test]
fn only_the_configuration_reads_the_environment() {
    let others = sources().into_iter().filter(|(name, _)| module_of(name) != "config");
    let wrong =
        others.filter(|(name, _)| !ENVIRONMENT.iter().any(|(allowed, _)| allowed == name)).flat_map(|(name, code)| {
            let found: Vec<_> =
                lines_with(&code, &["std::env", "env::var"]).map(|line| format!("{name}: {line}")).collect();
            found
        });
    assert_none(wrong.collect());
}

#[test]
fn the_web_never_writes_the_index_and_the_queue_names_no_job() {
    let files = sources();
    let named = |module: &'static str, words: &'static [&'static str]| {
        files
            .iter()
            .filter(move |(name, _)| module_of(name) == module)
            .flat_map(move |(name, code)| lines_with(code, words).map(move |line| format!("{name}: {line}")))
    };
    let web = named("web", &["lock_writer", ".commit("]);
    let queue = named("queue", &["publish", "yank", "SyncIndex", "maintain_index"]);
    assert_none(web.chain(queue).collect());
}

/// Outside tests a panic needs its reason on the line.
#[test]
fn an_unwrap_has_its_reason_beside_it() {
    let wrong = sources().into_iter().flat_map(|(name, code)| {
        let found: Vec<_> = lines_with(&code, &[".unwrap()", ".expect("])
            .filter(|line| !line.contains("//"))
            .map(|line| format!("{name}: {line}"))
            .collect();
        found
    });
    assert_none(wrong.collect());
}

/// A file that no module names is never compiled, and its tests never run.
#[test]
fn every_file_of_tests_is_a_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry");
    for (directory, parent) in [(root.clone(), "main.rs"), (root.join("support"), "mod.rs")] {
        let modules = std::fs::read_to_string(directory.join(parent)).unwrap();
        for entry in std::fs::read_dir(&directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if let Some(module) = name.strip_suffix(".rs").filter(|_| name != parent) {
                let declared = [format!("mod {module};"), format!("pub mod {module};")];
                assert!(
                    modules.lines().any(|line| declared.iter().any(|one| one == line.trim())),
                    "{name} is not in {parent}"
                );
            }
        }
    }
}
