//! Errors about values of options: they name where the value comes from, and contain no secrets.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Error};

use super::keys::is_secret;
use crate::redact;

/// Shown in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Completes an error of clap. It names the variable if the wrong value is a variable's, since clap names the option in any
/// case. The value of a secret option is not shown, nor are passwords in URLs.
pub(super) fn explained(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    let Some(ContextValue::String(place)) = error.get(ContextKind::InvalidArg) else { return error };
    let Some(option) = find(command, place) else { return error };
    let variable = option.get_env().filter(|name| std::env::var_os(name).is_some() && !is_given(option, arguments));
    let place = variable.map_or_else(|| place.clone(), |name| name.to_string_lossy().into_owned());
    let given = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.clone(),
        _ => String::new(),
    };
    let value = if is_secret(option) { HIDDEN.to_owned() } else { redact::userinfo(&given) };
    let reason = error.source().map(ToString::to_string).unwrap_or_default();
    let shown = redact::quoted(&reason, &given);
    if variable.and_then(std::env::var_os).is_some_and(|value| value.is_empty()) {
        let text = format!("the variable {place} is empty: give it a value, or unset it");
        error = command.clone().error(error.kind(), text);
    } else if shown != reason {
        error = command.clone().error(error.kind(), format!("invalid value '{value}' for '{place}': {shown}"));
    } else if !given.is_empty() {
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
    }
    error.insert(ContextKind::InvalidArg, ContextValue::String(place));
    error
}

/// Whether an error that [`explained`] completed is about a variable.
pub(super) fn is_of_a_variable(error: &Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(place)) if !place.starts_with('-'))
}

/// The option that clap names as in `--listen <ADDR>`, of any command.
fn find<'a>(command: &'a Command, place: &str) -> Option<&'a Arg> {
    let name = place.strip_prefix("--")?.split([' ', '=', '[']).next()?;
    let mut options = command.get_arguments();
    options
        .find(|option| option.get_long() == Some(name))
        .or_else(|| command.get_subcommands().find_map(|below| find(below, place)))
}

/// Whether an option is on the command line, before the command of `with`.
fn is_given(option: &Arg, arguments: &[OsString]) -> bool {
    let names: Vec<&str> =
        option.get_long().into_iter().chain(option.get_all_aliases().into_iter().flatten()).collect();
    let texts = arguments.iter().map(|argument| argument.to_string_lossy()).take_while(|text| *text != "--");
    let mut given = texts.filter_map(|text| Some(text.strip_prefix("--")?.split('=').next()?.to_owned()));
    given.any(|name| names.contains(&name.as_str()))
}
