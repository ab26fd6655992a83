//! Settings and limits of the git process that serves a fetch.

use std::io::{Read, Write};
use std::process::Stdio;

use super::*;
use crate::index::PackSizes;

fn line(content: &str) -> String {
    format!("{:04x}{content}", content.len() + 4)
}

/// The output and error output of git for a version 2 fetch with this argument.
fn fetched(index: &Index, argument: &str) -> (String, String) {
    let head = index.head().unwrap().commit.unwrap();
    let request = [line("command=fetch"), "0001".to_owned(), line(argument), line(&format!("want {head}"))].concat();
    let mut command = index.upload_pack(PackSizes::default(), Some("version=2"), false);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{request}{}0000", line("done")).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn git_itself_refuses_what_an_operator_has_allowed_in_the_repository() {
    let test = TestIndex::new();
    test.commit(&[put("1/a", "one")]);
    let index = &test.index;
    let mut config = git2::Repository::open(index.path()).unwrap().config().unwrap();
    for (name, value) in [
        ("uploadpackfilter.allow", "true"),
        ("uploadpackfilter.combine.allow", "true"),
        ("uploadpackfilter.tree.allow", "true"),
        ("uploadpack.allowRefInWant", "true"),
        ("uploadpack.allowSidebandAll", "true"),
    ] {
        config.set_str(name, value).unwrap();
    }
    for argument in ["filter combine:tree:1+tree:1", "filter tree:1", "want-ref refs/heads/main", "sideband-all"] {
        let (stdout, stderr) = fetched(index, argument);
        assert!(!stdout.contains("packfile") && stderr.starts_with("fatal: "), "{argument}: {stdout} {stderr}");
    }
    assert!(fetched(index, "filter blob:none").0.contains("packfile"));
}

#[test]
fn git_has_limits_of_memory_and_time_and_gives_way() {
    let test = TestIndex::new();
    let index = &test.index;
    let mut command = index.upload_pack(PackSizes { packs: 0, indexes: 1 << 20 }, Some("version=2"), false);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let of_child = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
    let limits = of_child("limits");
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let mib = |count: u64| count << 20;
    assert_eq!(limit("Max data size"), mib(192 + 24));
    assert_eq!(limit("Max address space"), mib(192 + 24 + 512 + 1));
    assert_eq!(limit("Max cpu time"), 180);
    assert_eq!(limit("Max core file size"), 0);
    let status = of_child("stat");
    let after_the_name = status.rsplit(')').next().unwrap();
    assert_eq!(after_the_name.split_whitespace().nth(16), Some("10"), "the niceness: {status}");
    drop(child.stdin.take());
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    child.wait().unwrap();
}
