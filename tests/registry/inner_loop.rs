//! What the inner loop leaves out is named by rooms that exist: a room with another name would come back unnoticed.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all modules below a directory.
fn modules(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        found.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() {
            modules(&path, found);
        }
    }
}

#[test]
fn every_room_that_the_inner_loop_leaves_out_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let configuration = std::fs::read_to_string(root.join(".config/nextest.toml")).unwrap();
    let configuration: toml::Table = configuration.parse().unwrap();
    let filter = configuration["profile"]["default"]["default-filter"].as_str().unwrap();
    let mut rooms = BTreeSet::new();
    modules(&root.join("tests/registry"), &mut rooms);
    let named: Vec<&str> = filter
        .split("test(/")
        .skip(1)
        .flat_map(|rest| {
            rest.split_once("/)").unwrap().0.split(|character: char| !matches!(character, 'a'..='z' | '0'..='9' | '_'))
        })
        .filter(|name| !name.is_empty())
        .collect();
    assert!(named.contains(&"upstreams"), "{named:?}");
    for name in named {
        assert!(rooms.contains(name), "`{name}` in .config/nextest.toml is no module of tests/registry");
    }
}
