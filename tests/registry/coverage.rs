//! Every point that cargo demands of a registry (docs/protocol.md), and every rule of a publish, has a test or a reason.
//!
//! A test says what it proves by a comment directly above it: `protocol: 15, 17` or `rule: 9`, behind two slashes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is numbered, how far, and what has no test for which reason.
struct List {
    mark: &'static str,
    last: u32,
    without: &'static [(u32, &'static str)],
}

const PROTOCOL: List = List { mark: "protocol", last: 95, without: WITHOUT_PROTOCOL };
const RULES: List = List { mark: "rule", last: 19, without: WITHOUT_RULES };

const WITHOUT_PROTOCOL: &[(u32, &str)] = &[
    (8, "a choice of the operator, which the README asks for"),
    (76, "what cargo does; 78 is what follows for a registry"),
    (77, "what cargo does; 78 is what follows for a registry"),
    (85, "unstable in cargo, and nothing to do yet"),
    (87, "nothing in cargo"),
    (90, "nothing to do with a registry"),
];

const WITHOUT_RULES: &[(u32, &str)] = &[];

/// The marks of a file: what is marked, and by which test. An error names the line of a mark that stands above none.
fn marks(text: &str) -> Result<Vec<(&str, u32, &str)>, String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let Some((mark, numbers)) = [PROTOCOL.mark, RULES.mark]
            .iter()
            .find_map(|mark| Some((*mark, line.strip_prefix("// ")?.strip_prefix(mark)?.strip_prefix(':')?)))
        else {
            continue;
        };
        let wrong = |what: &str| format!("line {}: {what}: {line}", place + 1);
        let test = test_below(&lines[place + 1..]).ok_or_else(|| wrong("no test stands directly below"))?;
        for number in numbers.split(',') {
            let number = number.trim().parse().map_err(|_| wrong("this is no list of numbers"))?;
            found.push((mark, number, test));
        }
    }
    Ok(found)
}

/// The name of the test that begins here; more marks and attributes may stand above it.
fn test_below<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let is_mark =
        |line: &&&str| [PROTOCOL.mark, RULES.mark].iter().any(|mark| line.starts_with(&format!("// {mark}:")));
    let mut rest = lines.iter().skip_while(is_mark);
    rest.next().filter(|line| **line == "#[test]")?;
    let name = rest.find(|line| !line.starts_with("#[") && !line.starts_with("//"))?.strip_prefix("fn ")?;
    name.split('(').next()
}

fn sources() -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in ["src", "tests"] {
        walk(&root.join(directory), &mut found);
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found
}

/// What is wrong with a list, given the tests of each number.
fn gaps(list: &List, tests: &BTreeMap<u32, BTreeSet<String>>) -> Vec<String> {
    let without: BTreeMap<u32, &str> = list.without.iter().copied().collect();
    let numbers = 1..=list.last;
    let missing = numbers.clone().filter(|number| !tests.contains_key(number) && !without.contains_key(number));
    let missing = missing.map(|number| format!("{} {number} has neither a test nor a reason", list.mark));
    let both = without.keys().filter(|number| tests.contains_key(number));
    let both = both.map(|number| format!("{} {number} has a test: take it from the list of those without", list.mark));
    let unknown = tests.keys().chain(without.keys()).filter(|number| !numbers.contains(number));
    let unknown = unknown.map(|number| format!("there is no {} {number}", list.mark));
    missing.chain(both).chain(unknown).collect()
}

#[test]
fn every_point_of_the_protocol_and_every_rule_has_a_test_or_a_reason() {
    let mut tests: BTreeMap<&str, BTreeMap<u32, BTreeSet<String>>> = BTreeMap::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let marks = marks(&text).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
        for (mark, number, test) in marks {
            let list = if mark == PROTOCOL.mark { PROTOCOL.mark } else { RULES.mark };
            tests.entry(list).or_default().entry(number).or_default().insert(test.to_owned());
        }
    }
    let mut wrong = Vec::new();
    for list in [PROTOCOL, RULES] {
        let tests = tests.remove(list.mark).unwrap_or_default();
        let count: BTreeSet<&String> = tests.values().flatten().collect();
        println!(
            "{}: {} of {} proved by {} tests, {} without a test",
            list.mark,
            tests.len(),
            list.last,
            count.len(),
            list.without.len()
        );
        wrong.extend(gaps(&list, &tests));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The list for contributors has the same numbers.
#[test]
fn every_point_stands_in_the_documentation_once_and_in_order() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md")).unwrap();
    let numbers: Vec<u32> = text.lines().filter_map(|line| line.split_once(". ")?.0.parse().ok()).collect();
    assert_eq!(numbers, (1..=PROTOCOL.last).collect::<Vec<_>>());
}

#[test]
fn a_mark_counts_only_directly_above_a_test() {
    let of = |lines: &[&str]| marks(&lines.join("\n").replace('~', "//")).map(|found| found.len());
    assert_eq!(of(&["~ protocol: 1, 2", "~ rule: 3", "#[test]", "#[ignore]", "fn it() {"]), Ok(3));
    assert_eq!(of(&["~ the protocol: a word", "~! protocol: 1"]), Ok(0));
    for wrong in [
        &["~ protocol: 1", "fn it() {"][..],
        &["~ protocol: 1", "", "#[test]", "fn it() {"],
        &["~ protocol: one", "#[test]", "fn it() {"],
        &["~ protocol: 1"],
    ] {
        assert!(of(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_gap_and_a_reason_too_many_are_seen() {
    let list = List { mark: "rule", last: 3, without: &[(2, "because"), (9, "because")] };
    let tests = [1, 2].map(|number| (number, BTreeSet::from(["it".to_owned()]))).into();
    assert_eq!(
        gaps(&list, &tests),
        [
            "rule 3 has neither a test nor a reason",
            "rule 2 has a test: take it from the list of those without",
            "there is no rule 9",
        ]
    );
}
