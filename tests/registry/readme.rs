//! The README: its commands work as they are written, and it stays short. And a table that another page computes.

use std::fs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

#[test]
fn it_has_at_most_800_words() {
    let words = fs::read_to_string(README).unwrap().split_whitespace().count();
    assert!(words <= 800, "{words}");
}

/// What docs/scaling.md concludes follows from its table.
#[test]
fn the_table_of_the_page_about_scaling_is_what_its_script_prints() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut script = std::process::Command::new("python3");
    script.arg("script/simulate-load").args(["--check", "docs/scaling.md"]).current_dir(root);
    let output = script.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Tests that start several processes. The inner loop leaves them out.
mod slow {
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::support::http;
    use crate::support::process::{PROGRAM, succeeded, supercargo, wait_for_url};

    /// The commands below a heading.
    fn commands(heading: &str) -> String {
        let text = fs::read_to_string(README).unwrap();
        let section = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}")).1;
        let block = section.split_once("```sh\n").unwrap().1;
        block.split_once("```").unwrap().0.to_owned()
    }

    #[test]
    fn the_first_publish_works_as_written_in_an_empty_directory_with_a_new_cargo_home() {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["programs", "work", "home"] {
            fs::create_dir(path(name)).unwrap();
        }
        std::os::unix::fs::symlink(PROGRAM, path("programs/supercargo")).unwrap();
        let mut serve = supercargo();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data-dir"]).arg(path("data"));
        let mut child = serve.stdout(Stdio::null()).spawn().unwrap();
        let url = wait_for_url(&mut child, &path("data"));
        let script = commands("Publish a first crate");
        assert!(script.contains("http://127.0.0.1:2274/"), "{script}");
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            // What the test's own cargo set.
            if name.to_string_lossy().starts_with("CARGO") || name.to_string_lossy().starts_with("SUPERCARGO_") {
                shell.env_remove(name);
            }
        }
        let programs = format!("{}:{}", path("programs").display(), std::env::var("PATH").unwrap());
        shell.args(["-e", "-c", &script.replace("http://127.0.0.1:2274", &url)]).current_dir(path("work"));
        shell.env("PATH", programs).env("CARGO_HOME", path("home")).env("SUPERCARGO_DATA_DIR", path("data"));
        let output = shell.output().unwrap();
        let lines = http::index_lines(&url, "he/ll/hello");
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        child.wait().unwrap();
        succeeded(output);
        assert_eq!(lines.len(), 1);
    }
}
