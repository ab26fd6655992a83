//! Shell completions and manual pages, as shells and `groff` read them; and the dashboard, which a script writes.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use clap::CommandFactory;
use supercargo::config::Cli;

use crate::support::process::{PROGRAM, failed, succeeded, supercargo};

/// The program without any environment: it needs no data directory.
fn generate(arguments: &[&str]) -> String {
    succeeded(Command::new(PROGRAM).args(arguments).env_clear().output().unwrap())
}

fn said_nothing(output: &Output) -> bool {
    output.status.success() && output.stdout.is_empty() && output.stderr.is_empty()
}

#[test]
fn bash_completes_commands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("supercargo");
    std::fs::write(&file, generate(&["completions", "bash"])).unwrap();
    let parsed = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(said_nothing(&parsed), "{parsed:?}");
    let completed = |words: &str, last: &str| {
        let number = words.split(' ').count() - 1;
        let script = format!(
            ". \"$0\"; complete -p supercargo >/dev/null || exit 1; COMP_WORDS=({words}); COMP_CWORD={number}; \
             _supercargo supercargo '{last}' ''; printf '%s ' \"${{COMPREPLY[@]}}\""
        );
        succeeded(Command::new("bash").args(["--norc", "-c", &script]).arg(&file).output().unwrap())
    };
    assert_eq!(completed("supercargo mig", "mig"), "migrate ");
    assert_eq!(completed("supercargo serve --public", "--public"), "--public-url ");
    assert_eq!(completed("supercargo admin user cre", "cre"), "create ");
}

#[test]
fn every_shell_has_completions_and_another_one_is_refused() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(generate(&["completions", shell]).contains("migrate"), "{shell}");
    }
    let refused = failed(supercargo().args(["completions", "csh"]).output().unwrap(), 2);
    assert!(refused.contains("invalid value 'csh'") && refused.contains("bash, elvish, fish"), "{refused}");
}

#[test]
fn the_dashboard_is_what_its_script_writes_and_shows_every_documented_metric() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/script/dashboard");
    let checked = Command::new(script).arg("--check").output().unwrap();
    assert!(said_nothing(&checked), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// The names of the pages of a command and those below it.
fn pages_of(command: &clap::Command, above: &str, found: &mut Vec<String>) {
    let name = if above.is_empty() { command.get_name().to_owned() } else { format!("{above}-{}", command.get_name()) };
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages_of(below, &name, found);
    }
    found.push(format!("{name}.1"));
}

#[test]
fn every_command_has_a_manual_page_that_groff_accepts_and_all_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man/man1");
    let said = generate(&["man", pages.to_str().unwrap()]);
    let mut expected = Vec::new();
    pages_of(&Cli::command(), "", &mut expected);
    assert_eq!(said, format!("wrote {} manual pages to {}\n", expected.len(), pages.display()));
    let mut found: Vec<_> =
        std::fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(std::fs::metadata(pages.join("supercargo.1")).unwrap().permissions().mode() & 0o444, 0o444);
    for page in &found {
        let mut groff = Command::new("groff");
        groff.args(["-k", "-z", "-ww", "-man", "-Tutf8"]).arg(pages.join(page));
        let output = groff.output().expect("groff, which script/setup --test installs");
        assert!(said_nothing(&output), "{page}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(generate(&["man"]), std::fs::read_to_string(pages.join("supercargo.1")).unwrap());
    let refused = failed(supercargo().args(["man", "/proc/no"]).output().unwrap(), 1);
    assert!(
        refused.starts_with("supercargo: cannot write manual pages to /proc/no (name another directory): "),
        "{refused}"
    );
}
