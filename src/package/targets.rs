//! What a package builds: its edition, whether it has a library, and the names of its binaries. The rules are those by
//! which cargo finds targets, and by which crates.io fills these fields.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// The most bytes of names of binaries: every list of versions has them.
const MAX_NAMES: usize = 8 * 1024;

/// What a package builds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// `package.edition`, unless it is no year.
    pub edition: Option<String>,
    /// Whether it has a library.
    pub has_lib: bool,
    /// The names of its binaries; None if they are longer than 8 KiB together.
    pub bin_names: Option<Vec<String>>,
}

/// Whether a file, by its path in the package, may be a library or a binary that the manifest does not list.
pub fn may_be_target(path: &str) -> bool {
    matches!(path, "src/lib.rs" | "src/main.rs")
        || path.strip_prefix("src/bin/").is_some_and(|rest| bin(rest).is_some())
}

/// The name of the binary that a path below `src/bin` stands for: `NAME.rs` or `NAME/main.rs`.
fn bin(path: &str) -> Option<&str> {
    match path.split_once('/') {
        None => path.strip_suffix(".rs"),
        Some((name, rest)) => (rest == "main.rs").then_some(name),
    }
}

impl Targets {
    /// Reads the targets of the package of this name from its manifest and from the paths of its files that
    /// [may be targets](may_be_target). A manifest that is not TOML has none.
    pub fn read(manifest: &str, name: &str, paths: &BTreeSet<String>) -> Self {
        let manifest: toml::Table = toml::from_str(manifest).unwrap_or_default();
        let package = manifest.get("package").or_else(|| manifest.get("project"));
        let field = |name: &str| package.and_then(|package| package.get(name));
        let flag = |name: &str| field(name).and_then(toml::Value::as_bool);
        let edition = field("edition").and_then(toml::Value::as_str).filter(|edition| is_year(edition));
        let has_lib = manifest.contains_key("lib") || (flag("autolib") != Some(false) && paths.contains("src/lib.rs"));
        let listed: Vec<Listed<'_>> = manifest
            .get("bin")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .map(|bin| {
                let text = |name: &str| bin.get(name).and_then(toml::Value::as_str);
                Listed { name: text("name"), path: text("path") }
            })
            .collect();
        // In the edition of 2015, a manifest that lists binaries lists all of them.
        let is_first_edition = matches!(edition, None | Some("2015"));
        let autobins = flag("autobins").unwrap_or(!is_first_edition || listed.is_empty());
        let names = bin_names(&listed, &found(name, paths), autobins);
        let is_short = names.iter().map(|name| name.len()).sum::<usize>() <= MAX_NAMES;
        Self { edition: edition.map(str::to_owned), has_lib, bin_names: is_short.then_some(names) }
    }
}

/// A `[[bin]]` of the manifest.
struct Listed<'a> {
    name: Option<&'a str>,
    path: Option<&'a str>,
}

/// The binaries among the files: their names and paths, in the order of their files' names.
fn found<'a>(package: &'a str, paths: &'a BTreeSet<String>) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> =
        paths.iter().filter_map(|path| Some((bin(path.strip_prefix("src/bin/")?)?, path.as_str()))).collect();
    // By the name in `src/bin`, which ends before `/main.rs`.
    found.sort_unstable_by_key(|(_, path)| path.strip_suffix("/main.rs").unwrap_or(path));
    found.extend(paths.get("src/main.rs").map(|path| (package, path.as_str())));
    found
}

fn bin_names(listed: &[Listed<'_>], found: &[(&str, &str)], autobins: bool) -> Vec<String> {
    let mut path_of: HashMap<&str, &str> = HashMap::new();
    for (name, path) in found {
        path_of.entry(name).or_insert(path);
    }
    let named = || listed.iter().filter_map(|bin| Some((bin.name?, bin.path)));
    let taken: HashSet<&str> = named().filter_map(|(name, path)| path.or_else(|| path_of.get(name).copied())).collect();
    let others = found.iter().filter(|(_, path)| autobins && !taken.contains(path)).map(|(name, _)| *name);
    // PostgreSQL cannot store a NUL in JSON.
    named().map(|(name, _)| name).chain(others).map(|name| name.replace('\0', "")).collect()
}

fn is_year(edition: &str) -> bool {
    edition.len() == 4 && edition.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(manifest: &str, paths: &[&str]) -> Targets {
        let paths = paths.iter().filter(|path| may_be_target(path)).map(|path| (*path).to_owned()).collect();
        Targets::read(manifest, "foo-bar", &paths)
    }

    fn names(manifest: &str, paths: &[&str]) -> Vec<String> {
        read(manifest, paths).bin_names.unwrap()
    }

    const SOURCES: [&str; 7] = [
        "src/lib.rs",
        "src/main.rs",
        "src/bin/b.rs",
        "src/bin/b-2.rs",
        "src/bin/a/main.rs",
        "src/bin/a/help.rs",
        "src/bin/c/d/main.rs",
    ];

    #[test]
    fn targets_are_found_by_the_names_of_their_files() {
        let targets = read("[package]\nedition = \"2021\"\n", &SOURCES);
        assert_eq!((targets.edition.as_deref(), targets.has_lib), (Some("2021"), true));
        assert_eq!(targets.bin_names.unwrap(), ["a", "b-2", "b", "foo-bar"]);
        assert_eq!(
            read("[package]\n", &["src/other.rs"]),
            Targets { bin_names: Some(Vec::new()), ..Targets::default() }
        );
    }

    #[test]
    fn the_manifest_adds_targets_and_turns_the_search_for_others_off() {
        let package = |fields: &str| format!("[package]\nedition = \"2021\"\n{fields}\n");
        assert!(!read(&package("autolib = false"), &SOURCES).has_lib);
        assert!(read(&package("autolib = false\n[lib]\npath = \"x.rs\""), &["x.rs"]).has_lib);
        assert_eq!(names(&package("autobins = false"), &SOURCES), Vec::<String>::new());
        let listed =
            package("[[bin]]\nname = \"run\"\npath = \"src/main.rs\"\n[[bin]]\nname = \"b\"\n[[bin]]\npath = \"x\"");
        assert_eq!(names(&listed, &SOURCES), ["run", "b", "a", "b-2"]);
        assert_eq!(names(&listed, &["x.rs"]), ["run", "b"]);
    }

    #[test]
    fn a_manifest_of_the_first_edition_that_lists_binaries_lists_all() {
        assert_eq!(names("[package]\n[[bin]]\nname = \"b\"\n", &SOURCES), ["b"]);
        assert_eq!(names("[project]\nedition = \"2015\"\n", &SOURCES), ["a", "b-2", "b", "foo-bar"]);
        assert_eq!(names("[package]\nautobins = true\n[[bin]]\nname = \"b\"\n", &["src/main.rs"]), ["b", "foo-bar"]);
    }

    #[test]
    fn texts_that_cannot_be_stored_or_listed_are_left_out() {
        assert_eq!(read("[package]\nedition = \"next\"\n", &[]).edition, None);
        assert_eq!(names("[package]\n[[bin]]\nname = \"a\\u0000b\"\n", &[]), ["ab"]);
        let many: String = (0..2000).map(|number| format!("[[bin]]\nname = \"bin-{number}\"\n")).collect();
        assert_eq!(read(&format!("[package]\n{many}"), &[]).bin_names, None);
        assert_eq!(read("not = [toml", &["src/lib.rs"]).bin_names, Some(Vec::new()));
    }
}
