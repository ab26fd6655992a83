//! The layers of the code, held against what the code says: a module uses only modules of lower layers.
//!
//! What is looked at is the text of `src`, without comments, strings' contents included, and without tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Layers from the bottom; what stands on one line knows nothing of its neighbours.
const LAYERS: [&[&str]; 6] = [
    &[
        "advisory",
        "client_connection",
        "diff",
        "docs_archive",
        "email",
        "error_chain",
        "fault",
        "full_disk",
        "package",
        "password",
        "redact",
        "replace_file",
        "statement",
        "subprocess",
        "trace",
        "webhook",
    ],
    // Options name limits of packages.
    &["config", "crate_store", "database", "highlight", "index", "postgres", "queue", "upstream"],
    &[
        "advisory_sources",
        "checks",
        "exposure",
        "jobs",
        "lock_audit",
        "markdown",
        "oidc",
        "own_advisories",
        "source",
        "upstream_cache",
    ],
    &["admin", "backup", "bundle", "import", "monitor", "verify", "web"],
    &["credential", "process"],
    &["commands"],
];

/// Files outside `web` that may be async, and why.
const ASYNC: [(&str, &str); 8] = [
    ("crate_store/bucket.rs", "makes requests of the object store's async interface"),
    ("crate_store/mod.rs", "makes requests of the object store's async interface"),
    ("crate_store/runtime.rs", "runs them for blocking callers"),
    ("process/server/mod.rs", "starts and stops the runtime that the web runs in"),
    ("process/server/connections.rs", "accepts the connections that the web answers"),
    ("process/server/conversation.rs", "carries what is said on them"),
    ("process/server/lanes.rs", "moves them from the threads of requests to those of reads"),
    ("process/server/places.rs", "waits until one of them can be accepted"),
];

pub(crate) fn sources() -> Vec<(String, String)> {
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

/// The modules of the crate that a file names: by `crate::`, or by as many `super::` as lead to the root.
fn used<'a>(file: &str, code: &'a str) -> BTreeSet<&'a str> {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let to_the_root = "super::".repeat(module.split('/').count());
    let mut used = named_after("crate::", code);
    used.extend(named_after(&to_the_root, code));
    used
}

/// The names that follow a prefix, one or a group in braces.
fn named_after<'a>(prefix: &str, code: &'a str) -> BTreeSet<&'a str> {
    // A module may be called `sync_crate`.
    let begins_a_word = |place: usize| !code[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let found = code.match_indices(prefix).filter(|(place, _)| begins_a_word(*place));
    let rests = found.map(|(place, found)| &code[place + found.len()..]);
    rests
        .flat_map(|rest| rest.strip_prefix('{').map_or_else(|| vec![first_word(rest)], first_words))
        .filter(|name| !name.is_empty())
        .collect()
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The first word of each member of a group, which stands here without its opening brace.
fn first_words(group: &str) -> Vec<&str> {
    let (mut open, mut words) = (1, vec![first_word(group)]);
    for (place, c) in group.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 1 => words.push(first_word(&group[place + 1..])),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    words
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
    used(file, code)
        .into_iter()
        .filter(|&other| other != module)
        .filter(|other| layer_of(other).is_none_or(|of_other| of_other >= layer))
        .map(|other| format!("{file} uses {other}"))
        .collect()
}

fn lines_with<'a>(code: &'a str, words: &'a [&str]) -> impl Iterator<Item = &'a str> {
    code.lines().filter(move |line| words.iter().any(|word| line.contains(word)))
}

fn is_async(code: &str) -> bool {
    lines_with(code, &["async ", ".await"]).next().is_some()
}

/// Finding the own program is not asking the environment.
fn reads_environment(code: &str) -> bool {
    let code = code.replace("std::env::current_exe()", "");
    named_after("std::", &code).contains("env") || code.contains("env::var")
}

fn writes_index(code: &str) -> bool {
    lines_with(code, &["lock_writer", ".commit("]).next().is_some()
}

fn names_a_job(code: &str) -> bool {
    lines_with(code, &["publish", "yank", "SyncIndex", "maintain_index"]).next().is_some()
}

/// Outside tests a panic needs its reason on the line.
fn panics_without_reason(code: &str) -> bool {
    lines_with(code, &[".unwrap()", ".expect("]).any(|line| !line.contains("//"))
}

/// The files that break a rule, without those of an excepted module.
fn breaking(rule: fn(&str) -> bool, concerned: impl Fn(&str) -> bool) -> Vec<String> {
    let files = sources().into_iter().filter(|(name, code)| concerned(name) && rule(code));
    files.map(|(name, _)| name).collect()
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

/// The rooms of the database from the bottom. The files beside them are its ground floor, which every room uses.
const DATABASE_ROOMS: [&[&str]; 6] = [
    &["access", "search"],
    &["email"],
    &["sign_in"],
    &["catalog"],
    &["publishers", "staging", "webhooks"],
    &["upkeep"],
];

/// The uses of other database rooms in one file that are not of lower ones.
fn wrong_database_uses(file: &str, code: &str) -> Vec<String> {
    let floor_of = |room: &str| DATABASE_ROOMS.iter().position(|floor| floor.contains(&room));
    let own = file.strip_prefix("database/").and_then(|rest| rest.split_once('/')).map(|(room, _)| room);
    let used = named_after("crate::database::", code).into_iter().filter(|room| Some(*room) != own);
    used.filter(|room| floor_of(room).is_some_and(|floor| own.and_then(floor_of).is_none_or(|own| floor >= own)))
        .map(|room| format!("{file} uses {room}"))
        .collect()
}

#[test]
fn a_room_of_the_database_uses_only_lower_rooms() {
    let files = sources().into_iter().filter(|(name, _)| module_of(name) == "database");
    assert_none(files.flat_map(|(name, code)| wrong_database_uses(&name, &code)).collect());
    let seen = |file: &str| wrong_database_uses(file, "use crate::database::{pool::Pool, catalog::crates};");
    assert_eq!(seen("database/access/users.rs"), ["database/access/users.rs uses catalog"]);
    assert_eq!(seen("database/about.rs"), ["database/about.rs uses catalog"]);
    assert!(seen("database/upkeep/backup.rs").is_empty() && seen("database/catalog/owners.rs").is_empty());
}

#[test]
fn only_the_web_is_async() {
    let concerned = |name: &str| module_of(name) != "web" && !ASYNC.iter().any(|(allowed, _)| *allowed == name);
    assert_none(breaking(is_async, concerned));
    assert!(is_async("    async fn f() {}") && is_async("    f()\n        .await?;") && !is_async("fn f() {}"));
}

#[test]
fn only_the_configuration_reads_the_environment() {
    assert_none(breaking(reads_environment, |name| module_of(name) != "config"));
    for code in ["std::env::var(\"A\")", "use std::{env, fs};", "use std::env;", "env::vars_os()"] {
        assert!(reads_environment(code), "{code}");
    }
    assert!(!reads_environment("Command::new(std::env::current_exe()?)"));
}

#[test]
fn the_web_never_writes_the_index_and_the_queue_names_no_job() {
    assert_none(breaking(writes_index, |name| module_of(name) == "web"));
    assert_none(breaking(names_a_job, |name| module_of(name) == "queue"));
    assert!(writes_index("let writer = index.lock_writer()?;") && writes_index("writer.commit(&head, &[])"));
    assert!(names_a_job("if job.kind == \"publish_version\" {") && !names_a_job("if job.kind == kind {"));
}

#[test]
fn an_unwrap_has_its_reason_beside_it() {
    assert_none(breaking(panics_without_reason, |_| true));
    assert!(panics_without_reason("let a = b.unwrap();") && panics_without_reason("    .expect(\"a\")"));
    assert!(
        !panics_without_reason("let a = b.unwrap(); // it was just set") && !panics_without_reason("b.unwrap_or(1)")
    );
}

#[test]
fn what_is_held_is_the_code_and_neither_its_comments_nor_its_tests() {
    let text = "//! See [`crate::web`].\nfn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::web;\n}\n";
    assert_eq!(code_of(text), "fn f() {}\n\n");
}

/// A file that no module names is never compiled, and its tests never run.
#[test]
fn every_file_of_tests_is_a_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(undeclared(&root.join("tests/registry"), "main.rs") > 70);
    for rooms in ["src/postgres/embedded/tests", "src/index/tests", "src/web/index/tests"] {
        assert!(undeclared(&root.join(rooms), "mod.rs") > 1);
    }
}

/// Fails for a file or directory below that its parent does not declare; otherwise their number.
fn undeclared(directory: &Path, parent: &str) -> usize {
    let modules = std::fs::read_to_string(directory.join(parent)).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_room = path.join("mod.rs").is_file();
        let Some(module) = name.strip_suffix(".rs").or(is_room.then_some(name)) else { continue };
        if name == parent {
            continue;
        }
        let declared = [format!("mod {module};"), format!("pub mod {module};")];
        assert!(
            modules.lines().any(|line| declared.iter().any(|one| one == line.trim())),
            "{} is in no module",
            path.display()
        );
        seen += 1 + if is_room { undeclared(&path, "mod.rs") } else { 0 };
    }
    seen
}

#[test]
fn a_forbidden_use_is_seen_however_it_is_written() {
    let seen = |code: &str| wrong_uses("queue/runner.rs", code);
    assert_eq!(
        seen("use crate::{database::Pool, jobs::VersionChange};"),
        ["queue/runner.rs uses database", "queue/runner.rs uses jobs"]
    );
    assert_eq!(
        seen("use crate::{\n    index::{Index, View},\n    package::Version,\n};"),
        ["queue/runner.rs uses index"]
    );
    assert_eq!(seen("use super::super::database::Pool;"), ["queue/runner.rs uses database"]);
}
