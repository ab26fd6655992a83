//! Contents of the configuration file.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::keys::{Keys, check_value, is_secret};

/// A key with its value, in the form of an argument on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub key: String,
    pub value: String,
    pub line: usize,
    pub is_secret: bool,
}

/// An error in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub line: usize,
    pub text: String,
}

/// The text of the file, which must be a regular one: reading another kind may never end.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The entries of a file, in its order, and every error. Messages do not quote values, which may be secrets.
pub(super) fn parse(text: &str, keys: &Keys) -> (Vec<Entry>, Vec<Problem>) {
    let line_of = |place: usize| 1 + text.bytes().take(place).filter(|&byte| byte == b'\n').count();
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &toml::de::Error| Problem {
            line: line_of(error.span().map_or(0, |span| span.start)),
            text: format!("not valid TOML: {}", error.message()),
        };
        return (Vec::new(), errors.iter().map(problem).collect());
    }
    let mut items: Vec<_> = table.into_inner().into_iter().collect();
    items.sort_by_key(|(key, _)| key.span().start);
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (key, value) in items {
        let line = line_of(key.span().start);
        match entry(key.get_ref(), value.get_ref(), line, keys) {
            Ok(entry) => entries.extend(entry),
            Err(text) => problems.push(Problem { line, text }),
        }
    }
    (entries, problems)
}

/// An entry, or none for an empty list.
fn entry(key: &str, value: &DeValue<'_>, line: usize, keys: &Keys) -> Result<Option<Entry>, String> {
    let Some(option) = keys.get(key) else {
        return Err(match value.is_table() {
            true => format!("`{key}` is a section: write all keys at the top level"),
            false => keys.unknown(key),
        });
    };
    if value.as_array().is_some_and(|values| values.is_empty()) && option.get_value_delimiter().is_some() {
        return Ok(None);
    }
    let text = text_of(value).map_err(|error| format!("{key}: {error}"))?;
    check_value(option, &text).map_err(|error| format!("{key}: {error}"))?;
    Ok(Some(Entry { key: key.to_owned(), value: text, line, is_secret: is_secret(option) }))
}

/// A value as on the command line.
fn text_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::Array(values) => list_of(values),
        value => scalar_of(value),
    }
}

/// The values of a list, separated by commas as on the command line.
fn list_of(values: &DeArray<'_>) -> Result<String, String> {
    let texts: Result<Vec<_>, _> = values.iter().map(Spanned::get_ref).map(scalar_of).collect();
    let texts = texts?;
    if texts.iter().any(|text| text.contains(',')) {
        return Err("a value in a list has a comma: write it as several values".to_owned());
    }
    Ok(texts.join(","))
}

fn scalar_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|error| error.to_string()),
        _ => Err("use a string, a number, true or false, or a list of strings".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::command;

    fn parsed(text: &str) -> (Vec<Entry>, Vec<Problem>) {
        let mut command = command();
        command.build();
        parse(text, &Keys::of(&command))
    }

    fn problems(text: &str) -> String {
        let found = parsed(text).1;
        found.iter().map(|problem| format!("{}: {}\n", problem.line, problem.text)).collect()
    }

    #[test]
    fn values_are_of_the_types_of_toml() {
        let text = "# first\nauth-required = true\nmax-crate-size = 20_971_520\nmax-features = 0x10\n\
                    sentry-traces-sample-rate = 0.25\npublish-wait = \"2s\"\nrate-limit = [\"yank=1/1h\", \"publish-new=2/1h\"]\n\
                    trusted-proxies = []\nmax-job-age = [\"5m\", \"20m\"]\n";
        let (entries, problems) = parsed(text);
        assert_eq!(problems, []);
        let shown: Vec<_> = entries.iter().map(|entry| (entry.line, &*entry.key, &*entry.value)).collect();
        assert_eq!(
            shown,
            [
                (2, "auth-required", "true"),
                (3, "max-crate-size", "20971520"),
                (4, "max-features", "16"),
                (5, "sentry-traces-sample-rate", "0.25"),
                (6, "publish-wait", "2s"),
                (7, "rate-limit", "yank=1/1h,publish-new=2/1h"),
                (9, "max-job-age", "5m,20m"),
            ]
        );
    }

    #[test]
    fn every_error_has_its_line_and_a_remedy() {
        insta::assert_snapshot!(problems("max-crate-sise = 1\nlisten = \"x\"\n\n[serve]\nlisten = 1\n"), @r#"
        1: unknown key `max-crate-sise`: did you mean `max-crate-size`?
        2: listen: invalid value: the port is missing: use an address and a port, such as 127.0.0.1:2274, localhost:2274, [::1]:2274 or :2274
        4: `serve` is a section: write all keys at the top level
        "#);
        insta::assert_snapshot!(problems("light = true\npublish-wait = 2020-01-01\nurl-alias = [\"https://a,b\"]\n"), @r#"
        1: `light` cannot be set in a file: use --light on the command line
        2: publish-wait: use a string, a number, true or false, or a list of strings
        3: url-alias: a value in a list has a comma: write it as several values
        "#);
    }

    #[test]
    fn an_error_of_syntax_does_not_quote_the_line() {
        let text = "listen = \"127.0.0.1:1\"\ndatabase-url = \"postgresql://u:secret@host/db\nauth-required = true\n";
        let problems = problems(text);
        assert!(problems.starts_with("2: not valid TOML: ") && !problems.contains("secret"), "{problems}");
        assert!(super::tests::problems("listen = \"a\"\nlisten = \"b\"\n").starts_with("2: not valid TOML: "));
    }

    #[test]
    fn only_regular_files_are_read() {
        assert_eq!(read(Path::new("/dev/null")), Err("it is not a regular file".to_owned()));
        assert_eq!(read(Path::new("/")), Err("it is not a regular file".to_owned()));
        assert!(read(Path::new("/no/such/file")).unwrap_err().starts_with("No such file"));
    }
}
