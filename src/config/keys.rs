//! The options that a variable or the configuration file can set.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use crate::redact;

/// How similar a name must be to be suggested, between 0 and 1.
const SIMILAR: f64 = 0.8;

/// Whether a variable can set an option. The configuration file can set the same ones, except its own name.
pub fn is_settable(option: &Arg) -> bool {
    option.get_long().is_some() && option.get_env().is_some()
}

/// Whether a command reads the configuration file.
pub(super) fn reads_a_file(command: &Command) -> bool {
    command.get_arguments().any(|option| option.get_id() == "config")
}

/// Whether the value of an option must not be shown.
pub(super) fn is_secret(option: &Arg) -> bool {
    option.is_hide_env_values_set()
}

/// The keys of a configuration file: the long names of all commands' options.
pub(super) struct Keys {
    settable: BTreeMap<String, Arg>,
    /// Options for a single call.
    flags_only: BTreeSet<String>,
}

impl Keys {
    pub fn of(command: &Command) -> Self {
        let mut keys = Self { settable: BTreeMap::new(), flags_only: BTreeSet::new() };
        keys.add(command);
        keys
    }

    fn add(&mut self, command: &Command) {
        for option in command.get_arguments() {
            let Some(name) = option.get_long() else { continue };
            if is_settable(option) && name != "config" {
                self.settable.entry(name.to_owned()).or_insert_with(|| option.clone());
            } else {
                self.flags_only.insert(name.to_owned());
            }
        }
        command.get_subcommands().for_each(|command| self.add(command));
    }

    pub fn get(&self, name: &str) -> Option<&Arg> {
        self.settable.get(name)
    }

    /// Why a name is not a key, and what to do.
    pub fn unknown(&self, name: &str) -> String {
        if self.flags_only.contains(name) {
            return format!("`{name}` cannot be set in a file: use --{name} on the command line");
        }
        let similarity = |key: &String| strsim::jaro_winkler(key, name);
        let nearest = self.settable.keys().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        match nearest.filter(|key| similarity(key) >= SIMILAR) {
            Some(key) => format!("unknown key `{name}`: did you mean `{key}`?"),
            None => format!("unknown key `{name}`: keys are the names of options without `--`"),
        }
    }
}

/// Checks a value with the option's own parser.
pub(super) fn check_value(option: &Arg, text: &str) -> Result<(), String> {
    let mut checked = Arg::new("value").long("value").num_args(1).value_parser(option.get_value_parser().clone());
    checked = match option.get_action() {
        ArgAction::Append => checked.action(ArgAction::Append),
        _ => checked.action(ArgAction::Set),
    };
    if let Some(delimiter) = option.get_value_delimiter() {
        checked = checked.value_delimiter(delimiter);
    }
    let parsed =
        Command::new("value").no_binary_name(true).arg(checked).try_get_matches_from([format!("--value={text}")]);
    match parsed {
        Err(error) => Err(format!("invalid value: {}", redact::quoted(&reason(&error), text))),
        Ok(_) if is_relative_path(option, text) => {
            Err("relative paths depend on the current directory: use an absolute path".to_owned())
        }
        Ok(_) => Ok(()),
    }
}

/// The reason in an error of clap, without its words about the command line.
fn reason(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue};
    if let Some(source) = std::error::Error::source(error) {
        return match () {
            () if source.is::<std::num::ParseIntError>() => "use a whole number".to_owned(),
            () => source.to_string(),
        };
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) if !valid.is_empty() => format!("use one of {}", valid.join(", ")),
        _ => "it is empty or of the wrong type".to_owned(),
    }
}

/// Whether a value is a path that is not absolute. A program may also be a bare name, which is looked up in PATH.
fn is_relative_path(option: &Arg, text: &str) -> bool {
    let is_relative = !text.starts_with('/');
    match option.get_long() {
        Some("git") => is_relative && text.contains('/'),
        // Both can also be URLs, and a remote can be HOST:PATH.
        Some("crate-store") => is_relative && !text.contains("://"),
        Some("index-remote") => is_relative && !text.contains(':'),
        _ => is_relative && option.get_value_parser().type_id() == TypeId::of::<PathBuf>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::command;

    fn built() -> Command {
        let mut command = command();
        command.build();
        command
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_name_or_the_reason() {
        let keys = Keys::of(&built());
        assert_eq!(keys.unknown("max_crate_size"), "unknown key `max_crate_size`: did you mean `max-crate-size`?");
        assert_eq!(keys.unknown("lisen"), "unknown key `lisen`: did you mean `listen`?");
        assert_eq!(keys.unknown("zzz"), "unknown key `zzz`: keys are the names of options without `--`");
        assert_eq!(keys.unknown("light"), "`light` cannot be set in a file: use --light on the command line");
        assert_eq!(keys.unknown("config"), "`config` cannot be set in a file: use --config on the command line");
    }

    #[test]
    fn a_value_is_checked_by_the_options_own_parser() {
        let command = built();
        let keys = Keys::of(&command);
        let check = |key: &str, text: &str| check_value(keys.get(key).unwrap(), text);
        let good = [
            ("max-crate-size", "16"),
            ("auth-required", "true"),
            ("publish-wait", "2s"),
            ("trusted-proxies", "10.0.0.0/8,fd00::1"),
            ("git", "git"),
            ("crate-store", "s3://crates"),
            ("index-remote", "git@host:i.git"),
            ("data-dir", "/srv/registry"),
        ];
        for (key, text) in good {
            assert_eq!(check(key, text), Ok(()), "{key}");
        }
        insta::assert_snapshot!(check("max-crate-size", "big").unwrap_err(), @"invalid value: use a whole number");
        insta::assert_snapshot!(check("auth-required", "yes").unwrap_err(), @"invalid value: use one of true, false");
        insta::assert_snapshot!(check("publish-wait", "2").unwrap_err(), @"invalid value: time unit needed, for example 2sec or 2ms: use 500ms, 2s, 1m or 30days");
        insta::assert_snapshot!(check("new-crates", "nobody").unwrap_err(), @"invalid value: use one of anyone, admins");
        insta::assert_snapshot!(check("trusted-proxies", "10.0.0.0/8,proxy").unwrap_err(), @"invalid value: use an address such as 10.1.2.3 or fd00::1, or a network such as 10.0.0.0/8");
        insta::assert_snapshot!(check("data-dir", "").unwrap_err(), @"invalid value: it is empty or of the wrong type");
        for (key, text) in
            [("data-dir", "here"), ("git", "bin/git"), ("crate-store", "crates"), ("index-remote", "i.git")]
        {
            assert!(check(key, text).unwrap_err().contains("use an absolute path"), "{key}");
        }
    }

    /// A key means the same for every command.
    #[test]
    fn options_of_one_name_are_of_one_type() {
        fn all<'a>(command: &'a Command, found: &mut Vec<&'a Arg>) {
            found.extend(command.get_arguments().filter(|option| is_settable(option)));
            command.get_subcommands().for_each(|command| all(command, found));
        }
        let command = built();
        let keys = Keys::of(&command);
        let mut options = Vec::new();
        all(&command, &mut options);
        for option in options.into_iter().filter(|option| option.get_id() != "config") {
            let other = keys.get(option.get_long().unwrap()).unwrap();
            assert_eq!(option.get_value_parser().type_id(), other.get_value_parser().type_id(), "{option}");
            assert_eq!(option.get_env(), other.get_env(), "{option}");
            assert_eq!(option.get_value_delimiter(), other.get_value_delimiter(), "{option}");
            let takes_several = matches!(option.get_action(), ArgAction::Append);
            assert_eq!(takes_several, option.get_value_delimiter().is_some(), "{option}");
        }
    }
}
