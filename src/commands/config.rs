//! `supercargo config`: checks and shows the configuration.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::serve::{admission, sign_in_ways};
use crate::admin::output::{print_json, print_table, say};
use crate::config::{Checked, ConfigCommand, Configuration, Setting, Source};
use crate::process::CommandError;

/// Shown in place of a secret.
const HIDDEN: &str = "(hidden)";

pub(super) fn config(command: &ConfigCommand, config: &Configuration) -> Result<ExitCode, CommandError> {
    match command {
        ConfigCommand::Check(_) => Ok(check(config)),
        ConfigCommand::Show(options) => show(config, options.output.json).map(|()| ExitCode::SUCCESS),
    }
}

fn check(config: &Configuration) -> ExitCode {
    let mut problems = config.problems.clone();
    problems.extend(config.checked.iter().flat_map(|checked| {
        let access = &checked.options.access;
        let of_limits = admission(access, false).err().map(|error| placed(config, checked, "rate-limit", &error));
        let of_sign_in = sign_in_ways(access).err().map(|error| placed(config, checked, "identity-provider", &error));
        of_limits.into_iter().chain(of_sign_in)
    }));
    for problem in &problems {
        say!("{problem}");
    }
    let file = config.file.as_ref().map(|file| file.display().to_string());
    // The others are of variables.
    let of_file = |file: &String| problems.iter().filter(|problem| problem.starts_with(file.as_str())).count();
    match (&file, file.as_ref().map_or(problems.len(), of_file)) {
        (None, 0) => say!("no configuration file found"),
        // The variables that are wrong.
        (None, _) => {}
        (Some(file), 0) => say!("{file}: valid"),
        (Some(file), 1) => say!("{file}: 1 error"),
        (Some(file), count) => say!("{file}: {count} errors"),
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What `serve` would say about an option, with the place of the value.
fn placed(config: &Configuration, checked: &Checked, option: &str, error: &CommandError) -> String {
    let setting = checked.settings.iter().find(|setting| setting.option == option);
    let place = match (setting.map(|setting| &setting.source), &config.file) {
        (Some(Source::Variable(name)), _) => name.clone(),
        (_, Some(file)) => file.display().to_string(),
        (_, None) => "variables".to_owned(),
    };
    format!("{place}: {error}")
}

fn show(config: &Configuration, as_json: bool) -> Result<(), CommandError> {
    if as_json {
        let options: Vec<Value> = config.settings.iter().map(json_of).collect();
        return Ok(print_json(&json!({ "file": config.file, "options": options }))?);
    }
    say!("configuration file: {}\n", config.file.as_ref().map_or("none".into(), |file| file.to_string_lossy()));
    let rows = config.settings.iter().map(|setting| {
        let value = match setting.value.as_deref() {
            None | Some("") => "-",
            Some(_) if setting.is_secret => HIDDEN,
            Some(value) => value,
        };
        [setting.option.clone(), value.to_owned(), source_of(setting)]
    });
    print_table(["OPTION", "VALUE", "SOURCE"], rows);
    Ok(())
}

fn source_of(setting: &Setting) -> String {
    match &setting.source {
        Source::Flag => "flag".to_owned(),
        Source::Variable(name) => format!("variable {name}"),
        Source::File => "file".to_owned(),
        Source::Default => "default".to_owned(),
    }
}

fn json_of(setting: &Setting) -> Value {
    let source = match &setting.source {
        Source::Flag => json!({ "kind": "flag" }),
        Source::Variable(name) => json!({ "kind": "variable", "name": name }),
        Source::File => json!({ "kind": "file" }),
        Source::Default => json!({ "kind": "default" }),
    };
    let is_hidden = setting.is_secret && setting.value.is_some();
    let value = setting.value.as_ref().filter(|_| !is_hidden);
    json!({ "option": setting.option, "value": value, "hidden": is_hidden, "source": source })
}
