//! The section for CI of docs/release-sets.md: its commands work as they are written.

/// Tests that start several processes. The inner loop leaves them out.
mod slow {
    use std::collections::BTreeMap;
    use std::fs;
    use std::process::Command;

    use crate::support::http;
    use crate::support::process::{Served, succeeded};
    use crate::support::yaml::{read, texts};

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/release-sets.md");

    /// The blocks in a language, of the section for CI.
    fn blocks(language: &str) -> Vec<String> {
        let page = fs::read_to_string(PAGE).unwrap();
        let section = page.split_once("\n## For CI\n").unwrap().1.split_once("\n## ").unwrap().0;
        let start = format!("```{language}\n");
        let parts = section.split(&start).skip(1);
        parts.map(|part| part.split_once("```").unwrap().0.to_owned()).collect()
    }

    /// A team's registry, its workspace, a crate that depends on it, and the tokens of the page.
    struct Team {
        served: Served,
        directory: tempfile::TempDir,
        tokens: BTreeMap<String, String>,
    }

    impl Team {
        fn new() -> Self {
            let served = Served::start(&[]);
            served.run("admin user create", &["ci"]);
            let mut tokens = BTreeMap::new();
            for line in blocks("sh")[0].lines() {
                let arguments = line.strip_prefix("supercargo admin token create ").unwrap_or_else(|| panic!("{line}"));
                let arguments: Vec<&str> = arguments.split(' ').map(|one| one.trim_matches('\'')).collect();
                let name = arguments[arguments.iter().position(|one| *one == "--name").unwrap() + 1].to_owned();
                let token = served.run("admin token create", &arguments);
                tokens.insert(name, token.trim().to_owned());
            }
            let directory = tempfile::tempdir().unwrap();
            let team = Self { served, directory, tokens };
            let config = format!(
                "[registries.acme]\nindex = \"sparse+{}/index/\"\n\
                 [source.crates-io]\nreplace-with = \"nowhere\"\n[source.nowhere]\nregistry = \"sparse+http://127.0.0.1:9/\"\n",
                team.served.url
            );
            team.write(".cargo/config.toml", &config);
            team
        }

        fn write(&self, path: &str, content: &str) {
            let path = self.directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        fn package(&self, path: &str, name: &str, version: &str, dependencies: &str, code: &str) {
            let manifest = format!(
                "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\ndescription = \"A crate\"\n\
                 license = \"MIT\"\n[dependencies]\n{dependencies}"
            );
            self.write(&format!("{path}/Cargo.toml"), &manifest);
            self.write(&format!("{path}/src/lib.rs"), code);
        }

        /// Gives the workspace this version, and asks for it in the crate that depends on it.
        fn prepare(&self, version: &str) {
            let on =
                |name: &str, path: &str| format!("{name} = {{ {path}version = \"{version}\", registry = \"acme\" }}\n");
            self.write("work/Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"acme-core\", \"acme-net\"]\n");
            let code = format!("pub const VERSION: &str = \"{version}\";\n");
            self.package("work/acme-core", "acme-core", version, "", &code);
            let net = on("acme-core", "path = \"../acme-core\", ");
            self.package("work/acme-net", "acme-net", version, &net, "pub use acme_core::VERSION;\n");
            let test = format!("#[test]\nfn version() {{ assert_eq!(acme_net::VERSION, \"{version}\"); }}\n");
            self.package("downstream", "downstream", "0.0.0", &on("acme-net", ""), &test);
        }

        /// A command of the page, with the names that stand for the team's own.
        fn filled(&self, text: &str, names: &[(&str, &str)]) -> String {
            let text = text.replace("https://crates.example", &self.served.url);
            let text = names.iter().fold(text, |text, (name, value)| text.replace(name, value));
            assert!(!text.contains("${{"), "{text}");
            text
        }

        /// Runs a script in the workspace, as CI does.
        fn run(&self, shell: &[&str], script: &str, variables: &BTreeMap<String, String>) {
            let mut command = Command::new(shell[0]);
            for (name, _) in std::env::vars_os() {
                // What the test's own cargo set.
                if name.to_string_lossy().starts_with("CARGO") {
                    command.env_remove(name);
                }
            }
            command.args(&shell[1..]).arg(script).current_dir(self.directory.path().join("work"));
            command.env("CARGO_HOME", self.directory.path().join("home")).envs(variables);
            succeeded(command.output().unwrap());
        }

        fn versions(&self) -> Vec<usize> {
            ["core", "net"].map(|name| http::index_lines(&self.served.url, &format!("ac/me/acme-{name}")).len()).into()
        }
    }

    #[test]
    fn a_shell_stages_tests_and_approves_as_written() {
        let team = Team::new();
        team.prepare("1.0.0");
        let release = team.filled(&blocks("sh")[1], &[]);
        let rejection = team.filled(&blocks("sh")[2], &[]);
        let mut variables = BTreeMap::from([("SET".to_owned(), "release-1".to_owned())]);
        for (name, token) in &team.tokens {
            variables.insert(format!("{}_TOKEN", name.to_uppercase()), token.clone());
        }
        team.run(&["sh", "-c"], &release, &variables);
        assert_eq!(team.versions(), [1, 1]);
        let lock: String = fs::read_to_string(team.directory.path().join("downstream/Cargo.lock")).unwrap();
        assert!(lock.contains("/stage/release-1/index/"), "{lock}");

        team.prepare("1.1.0");
        variables.insert("SET".to_owned(), "release-2".to_owned());
        let staging = release.split_once("# 200: published.").unwrap().0;
        // The same CI job twice: the second attempt empties the set first.
        for _ in 0..2 {
            team.run(&["sh", "-c"], staging, &variables);
        }
        let api = release.lines().find(|line| line.starts_with("SETS=")).unwrap();
        team.run(&["sh", "-e", "-c"], &format!("{api}\n{rejection}"), &variables);
        assert_eq!(team.versions(), [1, 1]);
    }

    #[test]
    fn the_jobs_for_github_and_gitlab_release_as_written() {
        let team = Team::new();
        let [github, gitlab] = &blocks("yaml")[..] else { panic!("other blocks than those of GitHub and GitLab") };
        team.prepare("1.0.0");
        github_actions(&team, github);
        assert_eq!(team.versions(), [1, 1]);
        team.prepare("1.1.0");
        gitlab_jobs(&team, gitlab);
        assert_eq!(team.versions(), [2, 2]);
    }

    /// Runs the steps of the workflow, each in the shell that GitHub takes.
    fn github_actions(team: &Team, workflow: &str) {
        let (staging, approval) = (&*team.tokens["staging"], &*team.tokens["approval"]);
        let workflow = team.filled(
            workflow,
            &[
                ("${{ github.run_id }}", "4711"),
                ("${{ secrets.ACME_STAGING_TOKEN }}", staging),
                ("${{ secrets.ACME_APPROVAL_TOKEN }}", approval),
            ],
        );
        let workflow = read(&workflow);
        let jobs = workflow["jobs"].as_mapping().unwrap();
        let names: Vec<_> = jobs.keys().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names, ["stage", "approve"]);
        assert_eq!(jobs.values().nth(1).unwrap()["needs"].as_str(), Some("stage"));
        for job in jobs.values() {
            let mut variables: BTreeMap<String, String> = texts(&workflow["env"]).into_iter().collect();
            variables.extend(job.as_mapping_get("env").map(texts).into_iter().flatten());
            for step in job["steps"].as_vec().unwrap() {
                if let Some(script) = step.as_mapping_get("run") {
                    team.run(&["bash", "-e", "-c"], script.as_str().unwrap(), &variables);
                }
            }
        }
    }

    /// Runs the scripts of the jobs, as a runner of GitLab does: the lines of one together.
    fn gitlab_jobs(team: &Team, jobs: &str) {
        let jobs = team.filled(jobs, &[("$CI_PIPELINE_ID", "4712")]);
        let jobs = read(&jobs);
        let mut variables: BTreeMap<String, String> = texts(&jobs["variables"]).into_iter().collect();
        for (name, token) in &team.tokens {
            variables.insert(format!("{}_TOKEN", name.to_uppercase()), token.clone());
        }
        for name in ["stage release", "approve release"] {
            let lines = jobs[name]["script"].as_vec().unwrap();
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
            team.run(&["bash", "-eo", "pipefail", "-c"], &lines.join("\n"), &variables);
        }
    }
}
