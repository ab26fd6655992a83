//! Advisories in the form of RustSec: TOML in a block at the begin of a Markdown file, whose heading is the title.
//!
//! The crate `rustsec` reads them as well. It slices what it has not looked at, and panics at some documents; and a category that it
//! does not know makes a document unreadable.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::cvss_severity::Severity;
use super::document::{Advisory, id, own_page, title, url};
use super::front_matter::FrontMatter;
use super::osv_form::osv_form;
use super::ranges::Ranges;
use super::read_error::ReadError;

pub(super) fn read(text: &str) -> Result<Advisory, ReadError> {
    let (front_matter, heading, description) = parts(text).ok_or(ReadError::Parts)?;
    // Version 4 of the form leaves out the name of the first table.
    let whole = match front_matter.starts_with("[advisory]") {
        true => front_matter.to_owned(),
        false => format!("[advisory]\n{front_matter}"),
    };
    let read: FrontMatter = toml::from_str(&whole).map_err(|error| ReadError::Toml(error.message().to_owned()))?;
    let metadata = &read.advisory;
    let id = id(&metadata.id)?;
    let published = date(&metadata.date)?;
    let withdrawn = metadata.withdrawn.as_deref().map(date).transpose()?;
    let ranges = Ranges::except(&read.versions.patched, &read.versions.unaffected)?;
    let title = title(heading);
    let document = osv_form(&read, &ranges, (&title, description), (published, withdrawn));
    Ok(Advisory {
        url: own_page(&id).or_else(|| metadata.url.as_deref().and_then(url)),
        severity: metadata.cvss.as_deref().map(Severity::of_vector).unwrap_or_default(),
        informational: metadata.informational.as_deref().map(super::document::title).filter(|kind| !kind.is_empty()),
        withdrawn,
        crates: vec![(metadata.package.clone(), ranges)],
        title,
        id,
        document,
    })
}

/// The TOML, the title and the rest.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (front_matter, markdown) = text.trim_start().strip_prefix("```toml")?.split_once("\n```")?;
    let (heading, description) = markdown.trim_start().split_once('\n').unwrap_or((markdown.trim_start(), ""));
    Some((front_matter.trim(), heading.strip_prefix("# ")?.trim(), description.trim()))
}

/// A day, which begins at midnight.
fn date(text: &str) -> Result<DateTime<Utc>, ReadError> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc()).map_err(|_| ReadError::Date(text.chars().take(80).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LEAK: &str = r##"```toml
[advisory]
id = "RUSTSEC-2026-0001"
package = "foo"
date = "2026-01-02"
url = "https://example.com/foo/issues/1"
categories = ["memory-exposure", "of-the-future"]
keywords = ["leak"]
aliases = ["CVE-2026-1234"]
cvss = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
of_the_future = 1

[affected]
os = ["linux"]
functions = { "foo::Leak::leak" = ["< 1.2.3"] }

[versions]
patched = [">= 1.2.3"]
unaffected = ["< 0.9.0"]
```

# A leak in `foo`

It *leaks*.
"##;

    #[test]
    fn a_file_of_the_database_is_read() {
        let read = read(LEAK).unwrap();
        assert_eq!((&*read.id, &*read.title, read.severity), ("RUSTSEC-2026-0001", "A leak in `foo`", Severity::High));
        assert_eq!(read.url.as_deref(), Some("https://rustsec.org/advisories/RUSTSEC-2026-0001.html"));
        let (name, ranges) = &read.crates[0];
        let affected = |text: &str| ranges.affects(&text.parse().unwrap());
        assert_eq!((&**name, affected("0.8.0"), affected("1.2.2"), affected("1.2.3")), ("foo", false, true, false));
        let document = &read.document;
        assert_eq!(document["details"], "It *leaks*.");
        assert_eq!(
            document["affected"][0]["ranges"][0]["events"],
            json!([{ "introduced": "0.9.0" }, { "fixed": "1.2.3" }])
        );
        // The form of OSV says the same.
        let again = crate::advisory::Form::Osv.read(document.to_string().as_bytes()).unwrap();
        assert_eq!((again.severity, &again.title, again.url), (read.severity, &read.title, read.url));
        assert!(
            again.crates[0].1.affects(&"1.2.2".parse().unwrap())
                && again.crates[0].1.names_as_mended(&"1.2.3".parse().unwrap())
        );
    }

    #[test]
    fn the_older_form_and_the_informational_and_withdrawn_ones_are_read() {
        let without_table = LEAK
            .replace("[advisory]\n", "")
            .replace("cvss", "informational = \"unsound\"\nwithdrawn = \"2026-02-03\"\ncvss");
        let read = read(&without_table).unwrap();
        assert_eq!(read.informational.as_deref(), Some("unsound"));
        assert_eq!(read.withdrawn, Some("2026-02-03T00:00:00Z".parse().unwrap()));
        assert_eq!(read.document["withdrawn"], "2026-02-03T00:00:00Z");
        assert_eq!(
            crate::advisory::Form::Osv.read(read.document.to_string().as_bytes()).unwrap().informational,
            read.informational
        );
        let all = LEAK.replace("[\">= 1.2.3\"]", "[]").replace("[\"< 0.9.0\"]", "[]");
        let all = super::read(&all).unwrap();
        assert!(all.crates[0].1.affects(&"7.0.0".parse().unwrap()));
        assert_eq!(all.document["affected"][0]["ranges"][0]["events"], json!([{ "introduced": "0.0.0-0" }]));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let refused = |text: &str| read(text).unwrap_err().to_string();
        for text in ["", "ü".repeat(40).as_str(), "```toml\n", "```toml\nid = 1\n```\n", "# Title"] {
            assert!(refused(text).starts_with("it does not begin with ```toml"), "{text}");
        }
        assert!(refused("```toml\nid = 1\n```\n# Title\n").starts_with("its TOML cannot be read"));
        assert!(refused(&LEAK.replace("patched", "mended")).contains("patched"));
        assert!(
            refused(&LEAK.replace(">= 1.2.3", "since 1.2.3")).starts_with("\"since 1.2.3\" is no range of versions")
        );
        assert_eq!(refused(&LEAK.replace("2026-01-02", "2026-13-02")), "\"2026-13-02\" is no date");
        assert!(crate::advisory::Form::RustSec.read(b"\xff").unwrap_err().to_string().contains("UTF-8"));
        let huge = LEAK.replace("It *leaks*.", &"It leaks. ".repeat(30_000));
        assert!(
            crate::advisory::Form::RustSec.read(huge.as_bytes()).unwrap_err().to_string().contains("at most 262144")
        );
    }
}
