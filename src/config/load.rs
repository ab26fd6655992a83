//! Loading of the configuration: command line, then variables, then the file, then defaults.
//!
//! The command line is parsed twice. The first time finds the file; the second time the file's values are the defaults.
//! So the precedence is clap's own, and every value goes through the option's own parser.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, FromArgMatches};

use super::file::{self, Entry};
use super::file_access::{untrusted, warning_of_readers};
use super::keys::Keys;
use super::location::{self, Location, SYSTEM_FILE};
use super::settings::{self, Setting};
use super::value_error::{explained, is_of_a_variable};
use super::{Cli, ServeOptions, command};

/// Options that are only valid together.
const PAIRS: [(&str, &str); 2] = [("tls_cert", "tls_key"), ("webhook_url", "webhook_secret_file")];
/// The commands that `config check` checks the file for.
const CHECKED: [&str; 3] = ["serve", "worker", "monitor"];

/// A parsed command line and its configuration.
#[derive(Debug)]
pub struct Loaded {
    pub cli: Cli,
    pub config: Configuration,
}

/// The configuration file, and the values of options with their sources.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// What is wrong with the file. Only `config check` starts with problems.
    pub problems: Vec<String>,
    /// What to warn about when the log is started.
    pub warnings: Vec<String>,
    /// The settable options of the command.
    pub settings: Vec<Setting>,
    /// For `config check`: the options of `serve` that it has parsed.
    pub checked: Option<Checked>,
}

/// The options of `serve`, to be checked further.
#[derive(Debug)]
pub struct Checked {
    pub options: Box<ServeOptions>,
    pub settings: Vec<Setting>,
}

/// Why a command cannot start.
#[derive(Debug)]
pub enum LoadError {
    /// Wrong arguments or variables, or a request for help.
    Arguments(Box<clap::Error>),
    /// Every error of the configuration file.
    File(Vec<String>),
}

impl From<clap::Error> for LoadError {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(Box::new(error))
    }
}

/// Parses the arguments of this process.
pub fn load() -> Result<Loaded, LoadError> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    load_from(&arguments, Path::new(SYSTEM_FILE))
}

fn load_from(arguments: &[OsString], system_file: &Path) -> Result<Loaded, LoadError> {
    let first = parse(command(), arguments)?;
    let (names, given) = leaf(&first);
    if given.try_contains_id("config").is_err() {
        let cli = Cli::from_arg_matches(&first)?;
        return Ok(Loaded { cli, config: Configuration::default() });
    }
    let contents = match location::find(given, system_file) {
        Ok(Some(location)) => Contents::read(&location),
        Ok(None) => Contents::default(),
        Err((path, error)) => Contents::unreadable(&path, &error.to_string()),
    };
    let is_check = names == ["config", "check"];
    if !contents.problems.is_empty() && !is_check {
        return Err(LoadError::File(contents.problems));
    }
    let (mut problems, mut checked) = (contents.problems, None);
    if is_check && problems.is_empty() {
        (problems, checked) = check_together(&contents.entries, contents.path.as_deref());
    }
    let mut command = with_defaults(command(), &contents.entries);
    let matches = parse(command.clone(), arguments)?;
    let (names, given) = leaf(&matches);
    command.build();
    refuse_half_a_pair(&mut command, &names, given)?;
    let options = find(&mut command, &names).get_arguments();
    let settings = settings::of(options, given, &contents.entries);
    let cli = Cli::from_arg_matches(&matches)?;
    let config = Configuration { file: contents.path, problems, warnings: contents.warnings, settings, checked };
    Ok(Loaded { cli, config })
}

fn parse(command: Command, arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let options = command.clone();
    command.try_get_matches_from(arguments).map_err(|error| explained(error, &options, arguments))
}

/// The names of the subcommands, and the last one's matches.
fn leaf(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut names, mut leaf) = (Vec::new(), matches);
    while let Some((name, below)) = leaf.subcommand() {
        names.push(name);
        leaf = below;
    }
    (names, leaf)
}

fn find<'a>(command: &'a mut Command, names: &[&str]) -> &'a mut Command {
    match names.split_first() {
        Some((first, rest)) if command.find_subcommand(first).is_some() => {
            find(command.find_subcommand_mut(first).unwrap(), rest) // it was just found
        }
        _ => command,
    }
}

/// Makes the values of the file the defaults of all options of their names.
fn with_defaults(command: Command, entries: &[Entry]) -> Command {
    let with_default = |option: clap::Arg| {
        let entry = entries.iter().find(|entry| option.get_long() == Some(&entry.key));
        match entry.filter(|_| super::is_settable(&option)) {
            Some(entry) => option.default_value(entry.value.clone()),
            None => option,
        }
    };
    command.mut_args(with_default).mut_subcommands(|below| with_defaults(below, entries))
}

/// Refuses one option of a pair. This is not clap's `requires`, which ignores defaults and so the file.
fn refuse_half_a_pair(command: &mut Command, names: &[&str], given: &ArgMatches) -> Result<(), clap::Error> {
    let is_given = |id: &str| given.try_contains_id(id).ok();
    for (one, other) in PAIRS {
        let (missing, present) = match (is_given(one), is_given(other)) {
            (Some(true), Some(false)) => (other, one),
            (Some(false), Some(true)) => (one, other),
            _ => continue,
        };
        let [missing, present] = [missing, present].map(|id| id.replace('_', "-"));
        let text = format!("--{missing} is required with --{present}");
        return Err(find(command, names).error(ErrorKind::MissingRequiredArgument, text));
    }
    Ok(())
}

/// What is wrong with the values of a file together, for each command that runs for long, and the options of `serve`.
fn check_together(entries: &[Entry], path: Option<&Path>) -> (Vec<String>, Option<Checked>) {
    let file = path.map_or_else(|| "variables".to_owned(), |path| path.display().to_string());
    let (mut problems, mut serve) = (Vec::new(), None);
    for name in CHECKED {
        let mut command = with_defaults(command(), entries);
        let checked = parse(command.clone(), &["supercargo".into(), name.into()]).and_then(|matches| {
            command.build();
            let (names, given) = leaf(&matches);
            refuse_half_a_pair(&mut command, &names, given)?;
            let settings = settings::of(find(&mut command, &names).get_arguments(), given, entries);
            Ok((Cli::from_arg_matches(&matches)?, settings))
        });
        let problem = match checked {
            Ok((cli, settings)) => {
                let problem = cli.check().err().map(|problem| format!("{file}: {problem}"));
                if let super::Command::Serve(options) = cli.command {
                    serve = Some(Checked { options, settings });
                }
                problem
            }
            Err(error) if is_of_a_variable(&error) => Some(first_line(&error)),
            Err(error) => Some(format!("{file}: {}", first_line(&error))),
        };
        problems.extend(problem);
    }
    problems.dedup();
    (problems, serve)
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A configuration file's entries, and what is wrong with it.
#[derive(Debug, Default)]
struct Contents {
    path: Option<PathBuf>,
    entries: Vec<Entry>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Contents {
    fn unreadable(path: &Path, error: &str) -> Self {
        let problems = vec![format!("cannot read the configuration file {}: {error}", path.display())];
        Self { path: Some(path.to_owned()), problems, ..Self::default() }
    }

    fn read(location: &Location) -> Self {
        let path = location.path();
        if let Some(problem) = untrusted(location, nix::unistd::geteuid().as_raw()) {
            return Self { path: Some(path.to_owned()), problems: vec![problem], ..Self::default() };
        }
        let text = match file::read(path) {
            Ok(text) => text,
            Err(error) => return Self::unreadable(path, &error),
        };
        let mut command = command();
        command.build();
        let (entries, mut found) = file::parse(&text, &Keys::of(&command));
        if let (Location::DataDirectory(_), Some(entry)) =
            (location, entries.iter().find(|entry| entry.key == "data-dir"))
        {
            let text = format!("data-dir cannot be set in the data directory's own file: set it in {SYSTEM_FILE}");
            found.push(file::Problem { line: entry.line, text });
            found.sort_by_key(|problem| problem.line);
        }
        let in_file = |problem: file::Problem| format!("{}:{}: {}", path.display(), problem.line, problem.text);
        let problems = found.into_iter().map(in_file).collect();
        let warnings = warning_of_readers(path, &entries).into_iter().collect();
        Self { path: Some(path.to_owned()), entries, problems, warnings }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Source;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        fn write(&self, name: &str, text: &str) -> String {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            path.to_str().unwrap().to_owned()
        }

        /// Loads with the file `system` in place of the one in /etc.
        fn load(&self, arguments: &str) -> Result<Loaded, String> {
            let arguments: Vec<OsString> =
                ["supercargo"].into_iter().chain(arguments.split(' ')).map(Into::into).collect();
            load_from(&arguments, &self.0.path().join("system")).map_err(|error| match error {
                LoadError::Arguments(error) => error.to_string(),
                LoadError::File(problems) => problems.join("\n").replace(self.0.path().to_str().unwrap(), "DIR"),
            })
        }

        fn limit(&self, arguments: &str) -> (usize, Source) {
            let loaded = self.load(arguments).unwrap();
            let source = loaded
                .config
                .settings
                .iter()
                .find(|setting| setting.option == "max-crate-size")
                .unwrap()
                .source
                .clone();
            match loaded.cli.command {
                crate::config::Command::Serve(options) => (options.limits().max_crate, source),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let place = Place::new();
        let file = place.write("named.toml", "max-crate-size = 5\n");
        let data = place.path("data");
        assert_eq!(place.limit(&format!("serve --data-dir {data}")), (10 << 20, Source::Default));
        assert_eq!(place.limit(&format!("serve --config {file}")), (5, Source::File));
        assert_eq!(place.limit(&format!("serve --config {file} --max-crate-size 7")), (7, Source::Flag));
    }

    #[test]
    fn the_named_file_is_read_or_the_data_directorys_or_the_systems_one() {
        let place = Place::new();
        let data = place.path("data");
        place.write("system", "max-crate-size = 3\n");
        assert_eq!(place.limit(&format!("serve --data-dir {data}")).0, 3);
        place.write("data/supercargo.toml", "max-crate-size = 4\n");
        assert_eq!(place.limit(&format!("serve --data-dir {data}")).0, 4);
        let named = place.write("named.toml", "max-crate-size = 5\n");
        assert_eq!(place.limit(&format!("serve --data-dir {data} --config {named}")).0, 5);
        let missing = place.load("serve --config /no/such/file").unwrap_err();
        insta::assert_snapshot!(missing, @"cannot read the configuration file /no/such/file: No such file or directory (os error 2)");
    }

    #[test]
    fn the_data_directory_can_be_set_by_a_file_outside_it() {
        let place = Place::new();
        let data = place.path("data");
        place.write("system", "data-dir = \"/srv/registry\"\n");
        let loaded = place.load(&format!("serve --config {}", place.path("system"))).unwrap();
        let crate::config::Command::Serve(options) = loaded.cli.command else { panic!() };
        assert_eq!(options.storage.data_dir.as_deref(), Some(Path::new("/srv/registry")));
        place.write("data/supercargo.toml", "\ndata-dir = \"/srv/registry\"\n");
        let refused = place.load(&format!("serve --data-dir {data}")).unwrap_err();
        insta::assert_snapshot!(refused, @"DIR/data/supercargo.toml:2: data-dir cannot be set in the data directory's own file: set it in /etc/supercargo/supercargo.toml");
    }

    #[test]
    fn lists_flags_and_pairs_can_be_in_the_file() {
        let place = Place::new();
        let text = "auth-required = true\ntrusted-proxies = [\"10.0.0.0/8\", \"fd00::1\"]\ntls-key = \"/etc/key.pem\"\n\
                    log = \"warn\"\n";
        let file = place.write("named.toml", text);
        let loaded = place.load(&format!("serve --config {file} --tls-cert cert.pem")).unwrap();
        assert_eq!(loaded.cli.log.log, "warn");
        let crate::config::Command::Serve(options) = loaded.cli.command else { panic!() };
        assert!(options.access.auth_required);
        assert_eq!(options.http.trusted_proxies.len(), 2);
        assert!(options.http.tls_cert.is_some() && options.http.tls_key.is_some());
        let half = place.load(&format!("serve --config {file}")).unwrap_err();
        assert!(half.contains("--tls-cert is required with --tls-key"), "{half}");
        // The monitor has no key.
        assert!(place.load(&format!("monitor --config {file}")).is_ok());
    }

    #[test]
    fn a_file_is_for_all_commands_but_the_one_that_makes_its_own_registry() {
        let place = Place::new();
        let file = place.write("system", "min-workers = 3\nlisten = \"127.0.0.1:1\"\n");
        for command in ["worker", "migrate", "monitor", "verify", "jobs list", "admin user list", "backup /b"] {
            assert_eq!(
                place.load(&format!("{command} --config {file}")).unwrap().config.file,
                Some(file.clone().into())
            );
        }
        place.write("system", "broken\n");
        assert!(place.load("with -- true").unwrap().config.file.is_none());
        assert!(place.load("with --config x -- true").unwrap_err().contains("unexpected argument"));
    }

    #[test]
    fn a_secret_in_a_file_that_all_can_read_is_warned_about() {
        let place = Place::new();
        let file = place.write("named.toml", "database-url = \"postgresql://u:p@h/d\"\n");
        let warnings = || place.load(&format!("serve --config {file}")).unwrap().config.warnings;
        assert!(warnings().is_empty());
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(
            warnings(),
            [format!("every user of this machine can read database-url in {file}: run `chmod 600 {file}`")]
        );
        place.write("named.toml", "listen = \"127.0.0.1:1\"\n");
        assert!(warnings().is_empty());
    }

    #[test]
    fn a_check_finds_values_that_do_not_go_together() {
        let place = Place::new();
        let check = |text: &str| {
            let file = place.write("named.toml", text);
            let loaded = place.load(&format!("config check --config {file}")).unwrap();
            loaded.config.problems.join("\n").replace(&file, "FILE")
        };
        assert_eq!(check("listen = \"127.0.0.1:1\"\n"), "");
        insta::assert_snapshot!(check("listen = true\nlisen = 1\n"), @r#"
        FILE:1: listen: invalid value: the port is missing: use an address and a port, such as 127.0.0.1:2274, localhost:2274, [::1]:2274 or :2274
        FILE:2: unknown key `lisen`: did you mean `listen`?
        "#);
        insta::assert_snapshot!(check("tls-cert = \"/c.pem\"\nwebhook-url = \"https://h\"\n"), @r#"
        FILE: --tls-key is required with --tls-cert
        FILE: --webhook-secret-file is required with --webhook-url
        "#);
        insta::assert_snapshot!(check("max-connections = 1\nmax-connections-per-address = 2\n"), @"FILE: --max-connections-per-address 2 is above --max-connections 1: lower the first or raise the second");
        insta::assert_snapshot!(check("index-remote = \"https://me:secret@host/i\"\n"), @"FILE: the URL of --index-remote is refused: it contains a password, which other users could read: put it into the file of --index-token-file");
    }
}
