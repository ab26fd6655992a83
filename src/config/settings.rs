//! Effective values of options, and where each comes from.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::file::Entry;
use super::is_settable;
use super::keys::is_secret;
use super::storage::default_data_dir;
use crate::redact;

/// Variables of other programs that are read if an option has no other value.
const FALLBACKS: [(&str, &[&str]); 4] = [
    ("database-url", &["DATABASE_URL"]),
    ("otlp-endpoint", &["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    ("s3-endpoint", &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
    ("s3-region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
];

/// An option with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The long name, without `--`.
    pub option: String,
    /// `None` if there is no value, or if it is determined at run time.
    pub value: Option<String>,
    pub source: Source,
    /// Whether the value must not be shown.
    pub is_secret: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Flag,
    Variable(String),
    File,
    Default,
}

/// The settable options of a command.
pub(super) fn of<'a>(options: impl Iterator<Item = &'a Arg>, given: &ArgMatches, entries: &[Entry]) -> Vec<Setting> {
    options.filter(|option| is_settable(option)).filter_map(|option| setting(option, given, entries)).collect()
}

fn setting(option: &Arg, given: &ArgMatches, entries: &[Entry]) -> Option<Setting> {
    let name = option.get_long()?;
    let id = option.get_id().as_str();
    let values = given.get_raw(id).map(|values| values.map(|value| value.to_string_lossy()).collect::<Vec<_>>());
    let mut value = values.map(|values| values.join(","));
    let mut source = match given.value_source(id) {
        Some(ValueSource::CommandLine) => Source::Flag,
        Some(ValueSource::EnvVariable) => Source::Variable(option.get_env()?.to_string_lossy().into_owned()),
        _ if entries.iter().any(|entry| entry.key == name) => Source::File,
        _ => Source::Default,
    };
    if value.is_none() {
        if let Some((variable, found)) = fallback(name) {
            (value, source) = (Some(found), Source::Variable(variable.to_owned()));
        } else if name == "data-dir" {
            value = default_data_dir().map(|path| path.display().to_string());
        }
    }
    Some(Setting { option: name.to_owned(), value: value.map(without_passwords), source, is_secret: is_secret(option) })
}

/// A value without the user names and passwords of URLs with a password.
fn without_passwords(value: String) -> String {
    if value.split(',').any(redact::has_password) { redact::userinfo(&value) } else { value }
}

fn fallback(option: &str) -> Option<(&'static str, String)> {
    let (_, variables) = FALLBACKS.iter().find(|(name, _)| *name == option)?;
    let set =
        |variable: &&'static str| Some((*variable, std::env::var(variable).ok().filter(|value| !value.is_empty())?));
    variables.iter().find_map(set)
}
