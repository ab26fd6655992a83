//! Options: each has a variable, a key in the file and a row in docs/configuration.md, and few are shown.

use std::collections::BTreeSet;

use clap::{Arg, Command};
use supercargo::config::{self, is_settable};

/// Options for a single call, which would make no sense in a variable or in a file, by command.
const FLAGS_ONLY: &[(&str, &[&str])] = &[
    ("serve", &["throwaway"]),
    ("monitor", &["watch", "interval", "json", "test-page"]),
    (
        "verify",
        &[
            "light",
            "all-objects",
            "upstreams",
            "resume",
            "orphan-age",
            "patience",
            "index-alias",
            "max-rate",
            "max-crates",
            "repair",
            "mirror",
            "token-file",
            "owner",
            "yanks-from-index",
            "retry-dead",
            "json",
        ],
    ),
    ("backup", &["check", "checksums-only", "at", "with-upstream-cache", "keep", "json"]),
    ("restore", &["at", "index-only", "json"]),
    ("docs push", &["crate", "version", "dir", "zip", "directory", "registry", "url", "token-file"]),
    ("docs delete", &["crate", "version", "registry", "url", "token-file"]),
    ("with", &["user"]),
    ("config show", &["json", "throwaway"]),
    ("index export", &["full", "rewrite", "status", "json"]),
    ("jobs list", &["failed", "dead", "done", "limit", "json"]),
    ("jobs watch", &["interval", "json"]),
    ("jobs show", &["json"]),
    ("jobs discard", &["reason"]),
    (
        "publisher add",
        &[
            "github",
            "gitlab",
            "forgejo",
            "oidc",
            "workflow",
            "environment",
            "claim",
            "issuer",
            "owner-id",
            "stage-only",
            "owner",
        ],
    ),
    ("publisher list", &["json"]),
    ("publisher require", &["off"]),
    ("publisher issuer add", &["identity-claim"]),
    ("publisher issuer list", &["json"]),
    ("set create", &["title", "private", "expires-in", "json"]),
    ("set list", &["all", "limit", "json"]),
    ("set show", &["json"]),
    ("set approve", &["revision", "override", "index-alias"]),
    ("set reject", &["reason"]),
    ("set extend", &["expires-in"]),
    ("set rule add", &["approvals", "by-another", "approved-by"]),
    ("set rule list", &["json"]),
    (
        "advisory add",
        &["id", "title", "description", "patched", "unaffected", "cvss", "informational", "alias", "reference", "url"],
    ),
    (
        "advisory edit",
        &["title", "description", "patched", "unaffected", "cvss", "informational", "alias", "reference", "url"],
    ),
    ("advisory withdraw", &["reason"]),
    ("advisory refresh", &["accept-withdrawals"]),
    ("advisory status", &["json"]),
    ("advisory list", &["upstream", "all", "json"]),
    ("upstream allow", &["reason"]),
    ("upstream hold", &["reason"]),
    ("upstream block", &["reason"]),
    ("upstream exposure", &["since", "json"]),
    ("upstream rules", &["json"]),
    ("upstream status", &["json"]),
    ("upstream fetch", &["lock", "pinned", "pin", "reason", "concurrency", "json"]),
    ("upstream pin", &["reason", "concurrency", "json"]),
    ("upstream pins", &["json"]),
    ("upstream mirror", &["crates", "names", "all", "git-index", "newest", "rate", "pin", "concurrency", "json"]),
    ("bundle create", &["lock", "concurrency", "json"]),
    ("bundle import", &["as", "pin", "reason", "json"]),
    ("webhook add", &["crate", "team", "events", "description"]),
    ("admin email list", &["json"]),
    ("webhook list", &["crate", "team", "json"]),
    ("webhook show", &["limit", "json"]),
    ("webhook update", &["url", "events", "description"]),
    ("webhook pause", &["reason"]),
    ("webhook resume", &["drop"]),
    ("webhook test", &["wait"]),
    ("webhook rotate", &["overlap"]),
    ("webhook events", &["json"]),
    ("database upgrade", &["old-postgres-bin-dir", "dry-run"]),
    ("admin audit", &["crate", "actor", "action", "since", "limit", "json"]),
    (
        "admin import",
        &["crates", "owner", "token-file", "crates-io-dependencies", "index-alias", "concurrency", "dry-run", "json"],
    ),
    ("admin user create", &["admin", "team", "create-team", "token", "expires-in", "if-missing", "json"]),
    ("admin user sign-in-link", &["create", "expires-in", "json"]),
    ("admin user remove", &["to"]),
    ("admin user list", &["json"]),
    ("admin token create", &["user", "name", "scope", "crate", "expires-in"]),
    ("admin token list", &["user", "json"]),
    ("admin token revoke", &["with-descendants"]),
    ("admin team show", &["json"]),
    ("admin team list", &["json"]),
    ("admin owner list", &["json"]),
    ("admin crate limits", &["crate-size", "unpacked-size", "features", "dependencies", "reset", "json"]),
    ("admin crate delete", &["reason", "release-name"]),
    ("admin crate reserve", &["names", "from-upstream", "reason"]),
    ("admin crate exposure", &["since", "json"]),
    ("admin crate reserved", &["json"]),
    ("admin version yank", &["message"]),
    ("admin version delete", &["reason"]),
];

/// The most options that help may show, of all commands together, and of `serve`. A new one needs a reason, or `hide`.
const MOST_SHOWN: usize = 43;
const MOST_SHOWN_BY_SERVE: usize = 34;
/// The longest line about an option in `-h`.
const LONGEST: usize = 100;

/// Each option of each command, with the command's name.
fn all_options() -> Vec<(String, Arg)> {
    fn collect(path: &str, command: &Command, found: &mut Vec<(String, Arg)>) {
        let options = command.get_arguments().filter(|option| option.get_long().is_some());
        let own = options.filter(|option| !matches!(option.get_id().as_str(), "help" | "version"));
        found.extend(own.map(|option| (path.to_owned(), option.clone())));
        for below in command.get_subcommands().filter(|command| command.get_name() != "help") {
            collect(format!("{path} {}", below.get_name()).trim(), below, found);
        }
    }
    let mut command = config::command();
    command.build();
    let mut found = Vec::new();
    collect("", &command, &mut found);
    assert!(found.len() > 200);
    found
}

fn long(option: &Arg) -> &str {
    option.get_long().unwrap()
}

/// The rows of the tables, each with option and variable, before and after the heading of rarely needed ones.
fn rows() -> [Vec<(String, String)>; 2] {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let (usual, rare) = text.split_once("\n## Rarely needed\n").unwrap();
    [usual, rare].map(|part| {
        let lines = part.lines().filter(|line| line.starts_with("| `--"));
        lines
            .map(|line| {
                let mut cells = line.split('|').map(|cell| cell.trim().to_owned()).skip(1);
                (cells.next().unwrap(), cells.next().unwrap())
            })
            .collect()
    })
}

#[test]
fn every_option_has_a_variable_of_its_name_unless_it_is_for_a_single_call() {
    let mut listed: BTreeSet<(&str, &str)> =
        FLAGS_ONLY.iter().flat_map(|(command, flags)| flags.iter().map(|flag| (*command, *flag))).collect();
    let options = all_options();
    for (command, option) in &options {
        let long = long(option);
        let is_listed = listed.remove(&(command.as_str(), long));
        let Some(variable) = option.get_env().map(|variable| variable.to_str().unwrap()) else {
            assert!(is_listed, "`{command} --{long}` has no variable");
            continue;
        };
        assert!(!is_listed, "`{command} --{long}` has a variable, and is in FLAGS_ONLY");
        let expected = format!("SUPERCARGO_{}", long.to_uppercase().replace('-', "_"));
        // The variable of a repeatable option can hold several values.
        assert!(variable == expected || variable == format!("{expected}ES"), "--{long}: {variable}");
    }
    assert!(listed.is_empty(), "no such options: {listed:?}");
}

#[test]
fn every_option_is_in_the_documentation_and_nothing_else_is() {
    let [usual, rare] = rows();
    let options = all_options();
    for (command, option) in options.iter().filter(|(_, option)| is_settable(option)) {
        let (flag, variable) = (long(option), option.get_env().unwrap().to_str().unwrap());
        // `config show` shows fewer options of `serve`.
        let rows = match option.is_hide_set() {
            true if command == "config show" => continue,
            true => &rare,
            false => &usual,
        };
        let row = rows.iter().find(|row| row.0 == format!("`--{flag}`"));
        let row = row.unwrap_or_else(|| panic!("`{command} --{flag}` (hidden: {}) has no row", option.is_hide_set()));
        assert!(row.1.starts_with(&format!("`{variable}`")), "{row:?}");
    }
    let known =
        |flag: &str| options.iter().any(|(_, option)| is_settable(option) && format!("`--{}`", long(option)) == flag);
    let all: Vec<_> = usual.into_iter().chain(rare).map(|(flag, _)| flag).collect();
    for flag in &all {
        assert!(known(flag), "{flag} is not an option");
        assert_eq!(all.iter().filter(|other| *other == flag).count(), 1, "{flag} has two rows");
    }
}

#[test]
fn few_options_are_shown() {
    let shown = |of: &str| {
        let options = all_options();
        let shown = options.iter().filter(|(command, option)| {
            is_settable(option) && !option.is_hide_set() && (of.is_empty() || command == of)
        });
        shown.map(|(_, option)| long(option).to_owned()).collect::<BTreeSet<_>>()
    };
    let (all, serve) = (shown(""), shown("serve"));
    assert!(all.len() <= MOST_SHOWN, "{}: {all:?}", all.len());
    assert!(serve.len() <= MOST_SHOWN_BY_SERVE, "{}: {serve:?}", serve.len());
}

/// The first line of an option's help is what `-h` shows.
#[test]
fn the_short_help_of_an_option_is_one_plain_line() {
    for (command, option) in all_options() {
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        let name = format!("`{command} --{}`: {help:?}", long(&option));
        assert!(help.starts_with(|c: char| c.is_uppercase()), "{name} has no sentence");
        assert!(!help.ends_with('.') && !help.contains('\n') && help.len() <= LONGEST, "{name} is not one short line");
    }
}

#[test]
fn options_of_serve_are_grouped_and_logging_comes_last() {
    let mut command = config::command();
    command.build();
    let serve = command.find_subcommand_mut("serve").unwrap();
    let help = serve.render_help().to_string();
    let headings: Vec<_> = help.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
    insta::assert_snapshot!(headings.join("\n"), @r#"
    Options:
    Storage:
    Network:
    Access:
    Publishing rules:
    Index remote:
    Crate files:
    Jobs:
    Monitoring:
    Logging:
    "#);
    assert!(!help.contains("[env"), "{help}");
}
