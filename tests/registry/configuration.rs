//! The configuration file, `config check` and `config show`, with the real program.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::http::get;
use crate::support::process::{Served, failed, succeeded, supercargo};

/// A directory in which the data directory is `data`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("data")).unwrap();
        Self(directory)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The program on this data directory.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = supercargo();
        command.args(arguments).env("SUPERCARGO_DATA_DIR", self.0.path().join("data"));
        command
    }

    fn plain(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "DIR").trim_end().to_owned()
    }
}

/// Value and source of an option, by `config show`.
fn shown(command: &mut Command, option: &str) -> String {
    let text = succeeded(command.output().unwrap());
    let line = text.lines().find(|line| line.split(' ').next() == Some(option));
    line.unwrap_or_else(|| panic!("no {option}: {text}")).split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let place = Place::new();
    let value = |arguments: &[&str], variable: Option<&str>| {
        let mut command = place.command(&[&["config", "show"], arguments].concat());
        command.envs(variable.map(|value| ("SUPERCARGO_MAX_CRATE_SIZE", value)));
        shown(&mut command, "max-crate-size")
    };
    assert_eq!(value(&[], None), "10485760 default");
    place.write("data/supercargo.toml", "max-crate-size = 5000\n");
    assert_eq!(value(&[], None), "5000 file");
    assert_eq!(value(&[], Some("6000")), "6000 variable SUPERCARGO_MAX_CRATE_SIZE");
    assert_eq!(value(&["--max-crate-size", "7000"], Some("6000")), "7000 flag");
    let other = place.write("other.toml", "max-crate-size = 8000\n");
    assert_eq!(value(&["--config", other.to_str().unwrap()], None), "8000 file");
}

#[test]
fn serve_reads_the_file_in_its_data_directory() {
    let mut served = Served::stopped();
    std::fs::create_dir(served.data_dir()).unwrap();
    std::fs::write(served.data_dir().join("supercargo.toml"), "auth-required = true\n").unwrap();
    served.start_again();
    assert_eq!(get(&format!("{}/index/config.json", served.url)).status, 401);
}

#[test]
fn a_wrong_file_stops_every_command_with_all_its_errors() {
    let place = Place::new();
    place.write(
        "data/supercargo.toml",
        "# wrong\nmax-crate-sise = 1\nauth-required = \"yes\"\ntls-cert = \"cert.pem\"\n",
    );
    let said = failed(place.command(&["serve"]).output().unwrap(), 2);
    insta::assert_snapshot!(place.plain(&said), @r#"
    supercargo: DIR/data/supercargo.toml:2: unknown key `max-crate-sise`: did you mean `max-crate-size`?
    supercargo: DIR/data/supercargo.toml:3: auth-required: invalid value: use one of true, false
    supercargo: DIR/data/supercargo.toml:4: tls-cert: relative paths depend on the current directory: use an absolute path
    "#);
    for command in [&["worker"][..], &["jobs", "list"], &["admin", "user", "list"], &["verify"], &["config", "show"]] {
        assert_eq!(failed(place.command(command).output().unwrap(), 2), said);
    }
    assert_eq!(std::fs::read_dir(place.0.path().join("data")).unwrap().count(), 1, "nothing was written");
    // Help needs no file.
    succeeded(place.command(&["serve", "--help"]).output().unwrap());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let place = Place::new();
    let said = |file: &str| place.plain(&failed(place.command(&["serve", "--config", file]).output().unwrap(), 2));
    insta::assert_snapshot!(said("/no/such/file"), @"supercargo: cannot read the configuration file /no/such/file: No such file or directory (os error 2)");
    insta::assert_snapshot!(said("/dev/null"), @"supercargo: cannot read the configuration file /dev/null: it is not a regular file");
    std::os::unix::fs::symlink("/no/such/file", place.0.path().join("data/supercargo.toml")).unwrap();
    insta::assert_snapshot!(place.plain(&failed(place.command(&["serve"]).output().unwrap(), 2)), @"supercargo: cannot read the configuration file DIR/data/supercargo.toml: No such file or directory (os error 2)");
}

#[test]
fn check_prints_every_error_and_the_file() {
    let place = Place::new();
    let check = |code: i32| {
        let output = place.command(&["config", "check"]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        place.plain(&String::from_utf8(output.stdout).unwrap())
    };
    insta::assert_snapshot!(check(0), @"no configuration file found");
    place.write("data/supercargo.toml", "listen = \"127.0.0.1:1\"\nmin-workers = 2\n");
    insta::assert_snapshot!(check(0), @"DIR/data/supercargo.toml: valid");
    place.write("data/supercargo.toml", "listen = true\nmin_workers = 2\nlight = true\ndata-dir = \"/elsewhere\"\n");
    insta::assert_snapshot!(check(1), @r#"
    DIR/data/supercargo.toml:1: listen: invalid value: the port is missing: use an address and a port, such as 127.0.0.1:2274, localhost:2274, [::1]:2274 or :2274
    DIR/data/supercargo.toml:2: unknown key `min_workers`: did you mean `min-workers`?
    DIR/data/supercargo.toml:3: `light` cannot be set in a file: use --light on the command line
    DIR/data/supercargo.toml:4: data-dir cannot be set in the data directory's own file: set it in /etc/supercargo/supercargo.toml
    DIR/data/supercargo.toml: 4 errors
    "#);
    place.write("data/supercargo.toml", "tls-key = \"/key.pem\"\n");
    insta::assert_snapshot!(check(1), @r#"
    DIR/data/supercargo.toml: --tls-cert is required with --tls-key
    DIR/data/supercargo.toml: 1 error
    "#);
    place.write("data/supercargo.toml", "listen = \"127.0.0.1:1\n");
    assert!(check(1).starts_with("DIR/data/supercargo.toml:1: not valid TOML: "));
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let place = Place::new();
    let file = place.write("example.toml", example);
    let said = place.command(&["config", "check", "--config", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(place.plain(&succeeded(said)), "DIR/example.toml: valid");
}

#[test]
fn show_hides_secrets() {
    let place = Place::new();
    let text = "database-url = \"postgresql://u:secret@h/d\"\nsentry-dsn = \"https://secret@sentry.example/42\"\n";
    let file = place.write("data/supercargo.toml", text);
    let mut command = place.command(&["config", "show"]);
    assert_eq!(shown(&mut command, "database-url"), "(hidden) file");
    assert_eq!(shown(&mut command, "sentry-dsn"), "(hidden) file");
    assert_eq!(shown(&mut command, "public-url"), "- default");
    for arguments in [&["config", "show"][..], &["config", "show", "--json"]] {
        let text = succeeded(place.command(arguments).output().unwrap());
        assert!(!text.contains("secret"), "{text}");
    }
    let json = succeeded(place.command(&["config", "show", "--json", "--listen", "127.0.0.1:1"]).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["file"], file.to_str().unwrap());
    let option =
        |name: &str| json["options"].as_array().unwrap().iter().find(|one| one["option"] == name).unwrap().clone();
    insta::assert_json_snapshot!([option("database-url"), option("listen"), option("data-dir")["source"].clone()], @r#"
    [
      {
        "option": "database-url",
        "value": null,
        "hidden": true,
        "source": {
          "kind": "file"
        }
      },
      {
        "option": "listen",
        "value": "127.0.0.1:1",
        "hidden": false,
        "source": {
          "kind": "flag"
        }
      },
      {
        "kind": "variable",
        "name": "SUPERCARGO_DATA_DIR"
      }
    ]
    "#);
    // A variable of another program is the last source.
    std::fs::remove_file(file).unwrap();
    let mut command = place.command(&["config", "show"]);
    command.env("DATABASE_URL", "postgresql://u:secret@h/d");
    assert_eq!(shown(&mut command, "database-url"), "(hidden) variable DATABASE_URL");
}

#[test]
fn a_secret_in_a_file_that_every_user_can_read_is_warned_about() {
    let place = Place::new();
    let file = place.write("data/supercargo.toml", "sentry-dsn = \"https://key@sentry.example/42\"\n");
    let warned = || {
        let output = place.command(&["config", "check"]).output().unwrap();
        place.plain(&String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(warned(), "");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let said = warned();
    assert!(
        said.contains("every user of this machine can read sentry-dsn in DIR/data/supercargo.toml: run `chmod 600"),
        "{said}"
    );
}

#[test]
fn the_value_of_a_secret_option_is_in_no_error() {
    let place = Place::new();
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = place.command(arguments).envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{text}");
        assert!(!text.contains("secret"), "{arguments:?} {variables:?}: {text}");
        place.plain(text.lines().next().unwrap())
    };
    let dsn = [("SUPERCARGO_SENTRY_DSN", "https//secret@sentry.example/42")];
    insta::assert_snapshot!(said(&["serve"], &dsn), @"error: invalid value '(hidden)' for 'SUPERCARGO_SENTRY_DSN': not a DSN: copy it from the project's settings in Sentry under Client Keys (https://KEY@sentry.example/42)");
    insta::assert_snapshot!(said(&["config", "check"], &dsn), @"invalid value '(hidden)' for 'SUPERCARGO_SENTRY_DSN': not a DSN: copy it from the project's settings in Sentry under Client Keys (https://KEY@sentry.example/42)");
    insta::assert_snapshot!(said(&["serve", "--sentry-dsn", "secret"], &[]), @"error: invalid value '(hidden)' for '--sentry-dsn <DSN>': not a DSN: copy it from the project's settings in Sentry under Client Keys (https://KEY@sentry.example/42)");
    let webhook = [("SUPERCARGO_WEBHOOK_URL", "hooks.example/secret")];
    insta::assert_snapshot!(said(&["monitor"], &webhook), @"error: invalid value '(hidden)' for 'SUPERCARGO_WEBHOOK_URL': use a URL with http:// or https:// and a host");
    insta::assert_snapshot!(said(&["config", "check"], &webhook), @"invalid value '(hidden)' for 'SUPERCARGO_WEBHOOK_URL': use a URL with http:// or https:// and a host");
    // Other options must not have a secret, and may have one by mistake.
    let endpoint = [("SUPERCARGO_S3_ENDPOINT", "https://me:secret@s3.example/")];
    insta::assert_snapshot!(said(&["serve"], &endpoint), @"error: invalid value 'https://s3.example/' for 'SUPERCARGO_S3_ENDPOINT': use https://HOST or https://HOST:PORT without a path: bucket and prefix belong in --crate-store");
    let registries = ["serve", "--allowed-registries", "https://me:secret@host/i,x"];
    insta::assert_snapshot!(said(&registries, &[]), @"error: invalid value 'https://host/i,x' for '--allowed-registries <URLS>': `https://host/i` is not the URL of an index (it contains a password): write it as cargo does, such as `sparse+https://crates.example/index/`, or `crates-io`; or the one word `any` or `none`");
}

#[test]
fn a_password_in_a_variable_of_another_program_is_not_shown() {
    let place = Place::new();
    let mut command = place.command(&["config", "show"]);
    command.env("AWS_ENDPOINT_URL", "https://me:secret@s3.example:9000");
    assert_eq!(shown(&mut command, "s3-endpoint"), "https://s3.example:9000 variable AWS_ENDPOINT_URL");
    let mut command = place.command(&["config", "show", "--json"]);
    command.env("AWS_ENDPOINT_URL", "https://me:secret@s3.example:9000");
    assert!(!succeeded(command.output().unwrap()).contains("secret"));
}

#[test]
fn a_value_of_a_variable_is_blamed_on_the_variable_and_not_on_the_file() {
    let place = Place::new();
    place.write("data/supercargo.toml", "listen = \"127.0.0.1:1\"\npublish-wait = \"2s\"\n");
    let said = |arguments: &[&str], variable: &str, value: &str| {
        let output = place.command(arguments).env(variable, value).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{text}");
        place.plain(text.lines().next().unwrap())
    };
    insta::assert_snapshot!(said(&["serve"], "SUPERCARGO_PUBLISH_WAIT", ""), @"error: the variable SUPERCARGO_PUBLISH_WAIT is empty: give it a value, or unset it");
    insta::assert_snapshot!(said(&["config", "check"], "SUPERCARGO_PUBLISH_WAIT", ""), @"the variable SUPERCARGO_PUBLISH_WAIT is empty: give it a value, or unset it");
    // The file itself is valid.
    let mut check = place.command(&["config", "check"]);
    let output = check.env("SUPERCARGO_PUBLISH_WAIT", "").output().unwrap();
    let text = place.plain(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((text.lines().last(), output.status.code()), (Some("DIR/data/supercargo.toml: valid"), Some(1)));
    insta::assert_snapshot!(said(&["config", "check"], "SUPERCARGO_TLS_CERT", ""), @"the variable SUPERCARGO_TLS_CERT is empty: give it a value, or unset it");
    insta::assert_snapshot!(said(&["config", "check"], "SUPERCARGO_AUTH_REQUIRED", ""), @"the variable SUPERCARGO_AUTH_REQUIRED is empty: give it a value, or unset it");
    insta::assert_snapshot!(said(&["config", "check"], "SUPERCARGO_RATE_LIMIT", "yank"), @r#"SUPERCARGO_RATE_LIMIT: --rate-limit: "yank" is not a rate limit: use ACTION=N/PERIOD (such as publish-new=5/10m), ACTION=unlimited, or none, with the action publish-new, publish-update, yank, change-owners or publish-docs"#);
    // A flag wins, and is blamed.
    insta::assert_snapshot!(said(&["serve", "--publish-wait", "2"], "SUPERCARGO_PUBLISH_WAIT", "1s"), @"error: invalid value '2' for '--publish-wait <DURATION>': time unit needed, for example 2sec or 2ms: use 500ms, 2s, 1m or 30days");
}

#[test]
fn a_check_finds_what_serve_would_refuse() {
    let place = Place::new();
    for (text, problem) in [
        ("rate-limit = \"publish-new=5\"\n", "is not a rate limit"),
        ("crate-store = \"s3://crates\"\ns3-endpoint = \"http://127.0.0.1:9\"\n", "is plain HTTP"),
    ] {
        place.write("data/supercargo.toml", text);
        let output = place.command(&["config", "check"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let checked = place.plain(&String::from_utf8(output.stdout).unwrap());
        let served = failed(place.command(&["serve"]).output().unwrap(), 1);
        let reason = served.trim_start_matches("supercargo: ").trim();
        assert!(reason.contains(problem), "{reason}");
        assert_eq!(checked, format!("DIR/data/supercargo.toml: {reason}\nDIR/data/supercargo.toml: 1 error"));
    }
    place.write("data/supercargo.toml", "rate-limit = [\"publish-new=5/1h\", \"yank=unlimited\"]\n");
    succeeded(place.command(&["config", "check"]).output().unwrap());
}
