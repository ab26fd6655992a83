//! Every option is a flag and an environment variable, and stands in the README.

use clap::{Arg, Command, CommandFactory};
use supercargo::config::Cli;

/// Choices of one call, which would make no sense for every call of a shell.
const FLAGS_ONLY: &[&str] = &[
    "help",
    "version",
    "json",
    "failed",
    "dead",
    "done",
    "limit",
    "interval",
    "watch",
    "test-page",
    "reason",
    "user",
    "name",
    "throwaway",
    "admin",
    "scope",
    "crate",
    "expires-in",
    "crate-size",
    "unpacked-size",
    "features",
    "dependencies",
    "reset",
    "actor",
    "action",
    "since",
    "light",
    "all-objects",
    "resume",
    "orphan-age",
    "patience",
    "max-rate",
    "max-crates",
    "check",
    "checksums-only",
    "at",
    "keep",
    "index-only",
    "repair",
    "mirror",
    "token-file",
    "owner",
    "retry-dead",
    "crates",
    "concurrency",
    "dry-run",
    "with-descendants",
];

fn options(command: &Command) -> Vec<Arg> {
    let own = command.get_arguments().filter(|argument| argument.get_long().is_some()).cloned();
    own.chain(command.get_subcommands().flat_map(options)).collect()
}

fn all_options() -> Vec<Arg> {
    let mut command = Cli::command();
    command.build();
    options(&command)
}

#[test]
fn every_option_is_an_environment_variable_of_its_name_as_well() {
    let options = all_options();
    assert!(options.len() > 20);
    for option in options {
        let long = option.get_long().unwrap();
        if FLAGS_ONLY.contains(&long) {
            continue;
        }
        let variable = option.get_env().unwrap_or_else(|| panic!("--{long} has no variable")).to_str().unwrap();
        let expected = format!("SUPERCARGO_{}", long.to_uppercase().replace('-', "_"));
        // The variable holds several.
        assert!(variable == expected || variable == format!("{expected}ES"), "--{long}: {variable}");
    }
}

#[test]
fn every_option_stands_in_the_readme_and_nothing_else_does() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let rows: Vec<(&str, &str)> = readme
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let options: Vec<_> =
        all_options().into_iter().filter(|option| option.get_env().is_some() && !option.is_hide_set()).collect();
    for option in &options {
        let (flag, variable) = (option.get_long().unwrap(), option.get_env().unwrap().to_str().unwrap());
        let row = rows.iter().find(|row| row.0 == format!("`--{flag}`"));
        let row = row.unwrap_or_else(|| panic!("--{flag} is not in the README's table"));
        assert!(row.1.starts_with(&format!("`{variable}`")), "{row:?}");
    }
    for (flag, _) in rows {
        assert!(
            options.iter().any(|option| format!("`--{}`", option.get_long().unwrap()) == flag),
            "{flag} is no option"
        );
    }
}
