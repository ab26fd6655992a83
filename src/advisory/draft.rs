//! An advisory that this registry publishes, as people give it; and the same in the form of RustSec, which says all of it.

use chrono::NaiveDate;
use cvss::Cvss;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::document::{Advisory, id as checked_id, title as one_line, url as plain_url};
use super::form::Form;
use super::interval::Interval;
use super::read_error::{MAX_DOCUMENT, ReadError};

/// The kinds that are about no vulnerability, as RustSec has them.
pub const INFORMATIONAL: [&str; 3] = ["notice", "unmaintained", "unsound"];
/// Prefixes of ids that others give.
const FOREIGN: [&str; 5] = ["CVE-", "GHSA-", "MAL-", "RUSTSEC-", "TALOS-"];
/// The longest title, in characters.
pub const MAX_TITLE: usize = 300;
/// The beginning of the ids that the registry gives.
pub const OWN_PREFIX: &str = "SCGO";
/// Aliases, or references, of one advisory.
const MAX_LISTED: usize = 50;

/// What an advisory says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    #[serde(rename = "crate")]
    pub krate: String,
    pub title: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// Where people read more, if that is not its page at this registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cvss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub informational: Option<String>,
    /// Requirements; all other versions are affected.
    #[serde(default)]
    pub patched: Vec<String>,
    #[serde(default)]
    pub unaffected: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// When it was published.
    pub date: NaiveDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<NaiveDate>,
    /// Why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal: Option<String>,
}

/// The places of the registry that publishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The index, as in Cargo.lock.
    pub source: String,
    /// The URL of the pages of advisories, to which the id is added.
    pub pages: String,
}

impl Origin {
    /// That of the registry with this URL, without a slash at its end.
    pub fn of(base_url: &str) -> Self {
        Self { source: format!("sparse+{base_url}/index/"), pages: format!("{base_url}/advisories/") }
    }
}

/// Why an advisory cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    #[error("the title has {0} characters: give a title of one line, with 1 to {MAX_TITLE}")]
    Title(usize),
    #[error("the {0} has a control character: remove it")]
    Control(&'static str),
    #[error(
        "{0:?} is no CVSS vector of version 3 or 4 with a score: give one such as CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H, or none"
    )]
    Cvss(String),
    #[error("{0:?} is no kind of advisory: use one of {kinds}, or none for a vulnerability", kinds = INFORMATIONAL.join(", "))]
    Informational(String),
    #[error("{0:?} is no URL of http or https, or is too long")]
    Url(String),
    #[error("there are {1} {0}: give at most {MAX_LISTED}")]
    TooMany(&'static str, usize),
    #[error(
        "the id {0:?} is one of another database: give one of your own, such as ACME-2026-0001, and name the other as an alias"
    )]
    ForeignId(String),
    #[error("the id {0:?} begins with {OWN_PREFIX}, whose ids the registry gives: choose another one, or none")]
    GivenId(String),
    #[error(
        "{0:?} is no id: use letters, digits, '-', '.' and '_', at most 100, and begin with a letter or a digit, such as ACME-2026-0001"
    )]
    Id(String),
    #[error(
        "title and description have too many bytes together with the rest: at most {MAX_DOCUMENT}, and these are {0}"
    )]
    TooLong(u64),
    #[error("{0:?} has more than two conditions: readers of advisories take at most two, such as '>=1.2.3, <2'")]
    Conditions(String),
    #[error("{0:?} and {1:?} have versions in common: readers of advisories refuse that, so name each version once")]
    Overlap(String, String),
    #[error("no version is affected by it: {0}")]
    NothingAffected(String),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Checks an id that somebody chooses.
pub fn own_id(text: &str) -> Result<String, DraftError> {
    let wrong = || DraftError::Id(text.chars().take(100).collect());
    let id = checked_id(text).map_err(|_| wrong())?;
    // It names a file.
    if !id.starts_with(|first: char| first.is_ascii_alphanumeric()) || id.contains(':') {
        return Err(wrong());
    }
    if id.to_ascii_uppercase().starts_with(&format!("{OWN_PREFIX}-")) {
        return Err(DraftError::GivenId(id));
    }
    if FOREIGN.iter().any(|prefix| id.to_ascii_uppercase().starts_with(prefix)) {
        return Err(DraftError::ForeignId(id));
    }
    Ok(id)
}

impl Draft {
    /// What it says, if it can be published.
    pub fn checked(mut self, id: &str) -> Result<(Self, Advisory), DraftError> {
        let length = self.title.trim().chars().count();
        if length == 0 || length > MAX_TITLE {
            return Err(DraftError::Title(length));
        }
        self.title = one_line(&self.title);
        if self.description.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(DraftError::Control("description"));
        }
        if let Some(vector) = self.cvss.as_ref().filter(|vector| !has_score(vector)) {
            return Err(DraftError::Cvss(vector.chars().take(100).collect()));
        }
        if let Some(kind) = self.informational.as_ref().filter(|kind| !INFORMATIONAL.contains(&&***kind)) {
            return Err(DraftError::Informational(kind.chars().take(100).collect()));
        }
        for url in self.url.iter().chain(&self.references) {
            if plain_url(url).is_none_or(|url| url::Url::parse(&url).is_err()) {
                return Err(DraftError::Url(url.chars().take(100).collect()));
            }
        }
        for (what, listed) in [("aliases", &self.aliases), ("references", &self.references)] {
            if listed.len() > MAX_LISTED {
                return Err(DraftError::TooMany(what, listed.len()));
            }
        }
        self.aliases.iter().try_for_each(|alias| checked_id(alias).map(drop))?;
        self.check_requirements()?;
        let read = self.read(id, None).map_err(|error| match error {
            ReadError::TooLarge(bytes) => DraftError::TooLong(bytes),
            error => error.into(),
        })?;
        let lowest = Version::parse("0.0.0-0").ok();
        let is_nothing = |interval: &Interval| interval.below.is_some() && interval.below == lowest;
        if read.crates.iter().all(|(_, ranges)| ranges.affected().0.iter().all(is_nothing)) {
            let excluded: Vec<&str> = self.patched.iter().chain(&self.unaffected).map(|text| &**text).collect();
            return Err(DraftError::NothingAffected(excluded.join(", ")));
        }
        Ok((self, read))
    }

    /// Refuses what other readers of RustSec's form refuse: they would read none of the advisories then.
    fn check_requirements(&self) -> Result<(), DraftError> {
        let mut known: Vec<(&String, Interval)> = Vec::new();
        for text in self.patched.iter().chain(&self.unaffected) {
            if text.split(',').count() > 2 {
                return Err(DraftError::Conditions(text.clone()));
            }
            let interval = Interval::of_requirement(text).map_err(|why| ReadError::Requirement(text.clone(), why))?;
            if let Some((other, _)) = known.iter().find(|(_, other)| other.overlaps(&interval)) {
                return Err(DraftError::Overlap((*other).clone(), text.clone()));
            }
            known.push((text, interval));
        }
        Ok(())
    }

    /// What it says, as the readers of its published form understand it.
    pub fn read(&self, id: &str, origin: Option<&Origin>) -> Result<Advisory, ReadError> {
        Form::RustSec.read(self.rustsec(id, origin)?.as_bytes())
    }

    /// Its form of RustSec.
    pub fn rustsec(&self, id: &str, origin: Option<&Origin>) -> Result<String, ReadError> {
        let page = origin.map(|origin| format!("{}{id}", origin.pages));
        let front_matter = FrontMatter {
            advisory: Metadata {
                id,
                package: &self.krate,
                date: self.date.to_string(),
                url: self.url.as_deref().or(page.as_deref()),
                references: &self.references,
                informational: self.informational.as_deref(),
                aliases: &self.aliases,
                cvss: self.cvss.as_deref(),
                withdrawn: self.withdrawn.map(|day| day.to_string()),
                source: origin.map(|origin| &*origin.source),
            },
            versions: Versions { patched: &self.patched, unaffected: &self.unaffected },
        };
        let toml = toml::to_string(&front_matter).map_err(|error| ReadError::Toml(error.to_string()))?;
        let mut text = format!("```toml\n{}\n```\n\n# {}\n", toml.trim(), self.title);
        let description = self.description.trim();
        if !description.is_empty() {
            text += &format!("\n{description}\n");
        }
        if let Some(reason) = &self.withdrawal {
            text += &format!("\n## Withdrawn\n\n{reason}\n");
        }
        Ok(text)
    }
}

fn has_score(vector: &str) -> bool {
    let is_known = ["CVSS:3", "CVSS:4"].iter().any(|version| vector.starts_with(version));
    is_known && vector.parse::<Cvss>().is_ok_and(|read| read.severity() != cvss::Severity::None)
}

#[derive(Serialize)]
struct FrontMatter<'a> {
    advisory: Metadata<'a>,
    versions: Versions<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    id: &'a str,
    package: &'a str,
    date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    references: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    informational: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    aliases: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cvss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

fn is_empty(list: &&[String]) -> bool {
    list.is_empty()
}

#[derive(Serialize)]
struct Versions<'a> {
    patched: &'a [String],
    unaffected: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisory::Severity;

    fn draft() -> Draft {
        Draft {
            krate: "foo".to_owned(),
            title: "A \"leak\" in `foo`".to_owned(),
            description: "It *leaks*.\n```toml\n[advisory]\n```\n".to_owned(),
            url: None,
            cvss: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".to_owned()),
            informational: None,
            patched: vec![">=1.2.3".to_owned()],
            unaffected: vec!["<0.9".to_owned()],
            aliases: vec!["CVE-2026-1234".to_owned()],
            references: vec!["https://example.com/a?b='c'".to_owned()],
            date: "2026-11-29".parse().unwrap(),
            withdrawn: None,
            withdrawal: None,
        }
    }

    #[test]
    fn what_is_given_is_what_readers_of_its_form_understand() {
        let (draft, read) = draft().checked("ACME-1").unwrap();
        let affected = |text: &str| read.crates[0].1.affects(&text.parse().unwrap());
        assert_eq!((affected("0.8.0"), affected("1.0.0"), affected("1.2.3")), (false, true, false));
        assert_eq!((&*read.id, &*read.title, read.severity), ("ACME-1", &*draft.title, Severity::High));
        assert_eq!(read.document["details"], draft.description.trim());
        assert_eq!(read.document["aliases"], serde_json::json!(["CVE-2026-1234"]));
        let origin = Origin::of("https://crates.example");
        let placed = draft.read("ACME-1", Some(&origin)).unwrap();
        assert_eq!(placed.url.as_deref(), Some("https://crates.example/advisories/ACME-1"));
        assert_eq!(
            placed.document["affected"][0]["package"],
            serde_json::json!({
                "ecosystem": "crates.io:https://crates.example/index/", "name": "foo",
                "purl": "pkg:cargo/foo?repository_url=https%3A%2F%2Fcrates.example%2Findex%2F",
            })
        );
        let withdrawn = Draft {
            withdrawn: Some("2026-11-30".parse().unwrap()),
            withdrawal: Some("It was ours alone".to_owned()),
            ..draft
        };
        let read = withdrawn.read("ACME-1", None).unwrap();
        assert!(read.withdrawn.is_some() && read.document["details"].as_str().unwrap().ends_with("It was ours alone"));
    }

    #[test]
    fn what_cannot_be_published_says_why() {
        let refused = |draft: Draft| draft.checked("ACME-1").unwrap_err().to_string();
        assert!(refused(Draft { title: " \n".to_owned(), ..draft() }).contains("has 0 characters"));
        assert!(refused(Draft { description: "a\u{1b}[2J".to_owned(), ..draft() }).contains("control character"));
        assert!(refused(Draft { cvss: Some("high".to_owned()), ..draft() }).starts_with("\"high\" is no CVSS vector"));
        assert!(refused(Draft { informational: Some("odd".to_owned()), ..draft() }).contains("notice, unmaintained"));
        assert!(refused(Draft { url: Some("ftp://a".to_owned()), ..draft() }).contains("no URL"));
        assert!(refused(Draft { patched: vec!["since 1".to_owned()], ..draft() }).contains("no range of versions"));
        assert!(refused(Draft { aliases: vec!["a b".to_owned()], ..draft() }).contains("id \"a b\""));
        assert!(
            refused(Draft { patched: vec![">=0.0.0-0".to_owned()], unaffected: Vec::new(), ..draft() })
                .contains("no version is affected")
        );
        let overlap = Draft { unaffected: vec![">=1.0.5".to_owned()], ..draft() };
        assert!(refused(overlap).contains("have versions in common"));
        let many = Draft { patched: vec![">=1.1.0,<1.2,<1.3".to_owned()], ..draft() };
        assert!(refused(many).contains("more than two conditions"));
        let apart = Draft { patched: vec![">=1.2.3".to_owned(), "^1.0.5, <1.1".to_owned()], ..draft() };
        assert!(apart.checked("ACME-1").is_ok());
        assert!(
            refused(Draft { cvss: Some("AV:N/AC:L/Au:N/C:P/I:P/A:P".to_owned()), ..draft() })
                .contains("version 3 or 4")
        );
        assert!(refused(Draft { description: "x".repeat(300_000), ..draft() }).contains("at most 262144"));
        for (id, part) in [
            ("RUSTSEC-2026-0001", "another database"),
            ("scgo-2026-0001", "the registry gives"),
            ("a/b", "\"a/b\" is no id"),
            ("..", "\"..\" is no id"),
            ("", "\"\" is no id"),
        ] {
            assert!(own_id(id).unwrap_err().to_string().contains(part), "{id}");
        }
        assert_eq!(own_id("ACME-2026-0001").unwrap(), "ACME-2026-0001");
    }
}
