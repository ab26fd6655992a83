//! Packages that are compared, with everything that can change in them.

use super::*;
use crate::source::tests::{Place, package};

/// The comparison of two packages with these files, within bounds.
fn compared_within(before: &[(&str, &str)], after: &[(&str, &str)], bounds: Bounds) -> Comparison {
    let place = Place::new(u64::MAX);
    let bytes = |files: &[(&str, &str)]| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        place.store(package(&files))
    };
    let (cache, old, new) = (place.cache(), bytes(before), bytes(after));
    let (old, new) = (cache.package(&old).unwrap(), cache.package(&new).unwrap());
    Comparison::within(&old, &new, &RegistryUrls::new(["http://registry.test"]), bounds).unwrap()
}

fn compared(before: &[(&str, &str)], after: &[(&str, &str)]) -> Comparison {
    compared_within(before, after, BOUNDS)
}

/// The changed files, one a line.
fn files(comparison: &Comparison) -> String {
    let line = |file: &FileChange| {
        let how = match &file.how {
            How::Added => "added".to_owned(),
            How::Removed => "removed".to_owned(),
            How::Changed => "changed".to_owned(),
            How::Renamed { from, similarity } => format!("renamed from {from} ({similarity} %)"),
        };
        let lines = file.lines.map_or("not counted".to_owned(), |(added, removed)| format!("+{added} -{removed}"));
        format!("{} {how} {lines}\n", file.path)
    };
    comparison.files.iter().map(line).collect()
}

fn manifest(rest: &str) -> String {
    format!("[package]\nname = \"foo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n{rest}")
}

const LONG: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

#[test]
fn files_are_added_removed_changed_and_renamed() {
    let comparison = compared(
        &[
            ("same", "1\n"),
            ("changed", "1\n2\n3\n"),
            ("gone", "1\n2\n"),
            ("old/moved.rs", "a\nb\nc\n"),
            ("old/edited.rs", LONG),
            ("empty", ""),
        ],
        &[
            ("same", "1\n"),
            ("changed", "1\nzwei\n3\n4"),
            ("come", "x\ny\nz\n"),
            ("new/moved.rs", "a\nb\nc\n"),
            ("new/edited.rs", &LONG.replace("five", "5")),
            ("also-empty", ""),
        ],
    );
    insta::assert_snapshot!(files(&comparison), @"
    also-empty added +0 -0
    changed changed +2 -1
    come added +3 -0
    empty removed +0 -0
    gone removed +0 -2
    new/edited.rs renamed from old/edited.rs (89 %) +1 -1
    new/moved.rs renamed from old/moved.rs (100 %) +0 -0
    ");
    assert_eq!((comparison.unchanged, comparison.lines()), (1, (6, 4)));
    assert_eq!(comparison.file("new/edited.rs"), comparison.file("old/edited.rs"));
    assert!(comparison.file("same").is_none());
}

#[test]
fn of_several_renames_the_most_similar_is_found_and_none_below_a_half() {
    let other = LONG.replace("one\ntwo\nthree\n", "1\n2\n3\n");
    let comparison = compared(
        &[("a", LONG), ("b", &other)],
        &[
            ("x", &other.replace("ten", "10")),
            ("y", &LONG.replace("ten", "10")),
            ("z", "one\ntwo\nelse\nwhatever\nmore\n"),
        ],
    );
    insta::assert_snapshot!(files(&comparison), @"
    x renamed from b (90 %) +1 -1
    y renamed from a (91 %) +1 -1
    z added +5 -0
    ");
    let twice = compared(&[("a/mod.rs", LONG)], &[("b/lib.rs", LONG), ("c/mod.rs", LONG)]);
    insta::assert_snapshot!(files(&twice), @"
    b/lib.rs renamed from a/mod.rs (100 %) +0 -0
    c/mod.rs added +10 -0
    ");
}

#[test]
fn what_is_beyond_a_bound_is_left_out_and_not_guessed() {
    let before: &[(&str, &str)] = &[("a.rs", LONG), ("b", LONG), ("gone", LONG)];
    let after: &[(&str, &str)] = &[("a.rs", "unsafe {}"), ("b", "x\n"), ("come", &LONG.replace("two", "2"))];
    let tight = Bounds { counted: 60, pairs: 0, searched: 10, ..BOUNDS };
    let comparison = compared_within(before, after, tight);
    insta::assert_snapshot!(files(&comparison), @"
    a.rs changed +1 -10
    b changed not counted
    come added +10 -0
    gone removed +0 -10
    ");
    assert_eq!((comparison.summary.not_searched, comparison.summary.unsafe_counts.len()), (1, 0));
}

#[test]
fn a_reviewer_is_shown_what_can_do_harm() {
    let before = manifest(
        "build = false\nlicense = \"MIT\"\n[dependencies]\nkept = \"1\"\ndropped = \"1\"\n[dependencies.other]\npackage = \"real\"\nversion = \"1\"\n\
         [features]\ndefault = [\"a\"]\na = []\n",
    );
    let after = manifest(
        "build = \"build.rs\"\nlinks = \"z\"\nlicense = \"MIT\"\n[lib]\nproc-macro = true\n[dependencies.kept]\nversion = \"2\"\nfeatures = [\"x\"]\n\
         [dependencies.other]\npackage = \"fake\"\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\
         [features]\ndefault = []\nb = [\"dep:kept\"]\n",
    )
    .replace("[dependencies.kept]\n", "[dependencies.kept]\noptional = true\n");
    let comparison = compared(
        &[("Cargo.toml", &before), ("src/lib.rs", "// unsafe\n"), ("logo.png", "text\n")],
        &[
            ("Cargo.toml", &after),
            ("build.rs", "fn main() { unsafe {} }\n"),
            ("src/lib.rs", "unsafe fn a() { unsafe {} }\n"),
            ("logo.png", "\u{89}PNG\0"),
            ("run.sh", "#!/bin/sh\n"),
        ],
    );
    insta::assert_debug_snapshot!(comparison.summary, @r#"
    Summary {
        manifest: Ok(
            ManifestChanges {
                added: [
                    Stated {
                        kind: Normal,
                        target: Some(
                            "cfg(unix)",
                        ),
                        key: "libc",
                        package: None,
                        requirement: "^0.2",
                        registry: Some(
                            "https://github.com/rust-lang/crates.io-index",
                        ),
                        optional: false,
                    },
                ],
                removed: [
                    Stated {
                        kind: Normal,
                        target: None,
                        key: "dropped",
                        package: None,
                        requirement: "^1",
                        registry: Some(
                            "https://github.com/rust-lang/crates.io-index",
                        ),
                        optional: false,
                    },
                ],
                changed: [
                    ChangedDependency {
                        dependency: Stated {
                            kind: Normal,
                            target: None,
                            key: "kept",
                            package: None,
                            requirement: "^2",
                            registry: Some(
                                "https://github.com/rust-lang/crates.io-index",
                            ),
                            optional: true,
                        },
                        changes: [
                            FieldChange {
                                field: "requirement",
                                before: Some(
                                    "^1",
                                ),
                                after: Some(
                                    "^2",
                                ),
                            },
                            FieldChange {
                                field: "features",
                                before: None,
                                after: Some(
                                    "x",
                                ),
                            },
                            FieldChange {
                                field: "optional",
                                before: Some(
                                    "false",
                                ),
                                after: Some(
                                    "true",
                                ),
                            },
                        ],
                    },
                    ChangedDependency {
                        dependency: Stated {
                            kind: Normal,
                            target: None,
                            key: "other",
                            package: Some(
                                "fake",
                            ),
                            requirement: "^1",
                            registry: Some(
                                "https://github.com/rust-lang/crates.io-index",
                            ),
                            optional: false,
                        },
                        changes: [
                            FieldChange {
                                field: "package",
                                before: Some(
                                    "real",
                                ),
                                after: Some(
                                    "fake",
                                ),
                            },
                        ],
                    },
                ],
                features: [
                    ChangedFeature {
                        name: "a",
                        before: Some(
                            [],
                        ),
                        after: None,
                    },
                    ChangedFeature {
                        name: "b",
                        before: None,
                        after: Some(
                            [
                                "dep:kept",
                            ],
                        ),
                    },
                    ChangedFeature {
                        name: "default",
                        before: Some(
                            [
                                "a",
                            ],
                        ),
                        after: Some(
                            [],
                        ),
                    },
                ],
                fields: [
                    FieldChange {
                        field: "links",
                        before: None,
                        after: Some(
                            "z",
                        ),
                    },
                ],
            },
        ),
        build_script: Script {
            before: None,
            after: Some(
                "build.rs",
            ),
            is_changed: false,
        },
        proc_macro: (
            false,
            true,
        ),
        unsafe_counts: [
            UnsafeCount {
                path: "build.rs",
                before: 0,
                after: 1,
            },
            UnsafeCount {
                path: "src/lib.rs",
                before: 0,
                after: 2,
            },
        ],
        not_searched: 0,
        new_binaries: [
            NewBinary {
                path: "logo.png",
                size: 6,
            },
        ],
        new_executables: [
            "run.sh",
        ],
    }
    "#);
}

#[test]
fn a_build_script_that_only_changes_is_named() {
    let text = manifest("");
    let with = |script: &str| {
        compared(&[("Cargo.toml", &text), ("build.rs", "1")], &[("Cargo.toml", &text), ("build.rs", script)])
    };
    assert!(with("2").summary.build_script.is_changed && !with("1").summary.build_script.is_changed);
    let off = manifest("build = false\n");
    let none = compared(&[("Cargo.toml", &off), ("build.rs", "1")], &[("Cargo.toml", &off), ("build.rs", "2")]);
    assert_eq!(none.summary.build_script, Script::default());
}

#[test]
fn manifests_that_cannot_be_read_do_not_fail_the_comparison() {
    let good = manifest("");
    let bad = compared(&[("Cargo.toml", &good)], &[("Cargo.toml", "not toml [")]);
    assert!(bad.summary.manifest.unwrap_err().starts_with("of the later version, "));
    let missing = compared(&[("a", "1")], &[("Cargo.toml", &good)]);
    insta::assert_snapshot!(missing.summary.manifest.unwrap_err(), @"one of the versions has no Cargo.toml that can be read");
}
