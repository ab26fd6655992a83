//! The ways in which database, index and crate files can disagree.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::package::Checksum;
use crate::package::characters::is_hidden;
use crate::queue::JobId;

/// Characters of a text that are told of what was found or expected.
const EXCERPT: usize = 200;

/// What kind of difference it is. Its name in reports is the variant's, with hyphens.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Kind {
    BrokenRepository,
    RemoteDiffers,
    ConfigJson,
    MissingIndexFile,
    UnreadableIndexFile,
    FileDiffers,
    MissingLine,
    LineWithoutRow,
    LineDiffers,
    YankedDiffers,
    DuplicateLine,
    DeletedLine,
    UnknownCrate,
    UnexpectedFile,
    QueuedWithoutJob,
    YankWithoutJob,
    DeletionWithoutJob,
    EffectiveDiffers,
    UnknownCommit,
    DerivedDiffers,
    UnreadableRow,
    DeadJob,
    MissingCrateFile,
    SizeDiffers,
    DamagedCrateFile,
    DeletedCrateFile,
    OrphanFile,
    StagedLeftover,
}

impl Kind {
    /// All kinds, in the order of reports.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::BrokenRepository => "git finds the index's repository damaged",
            Self::RemoteDiffers => "the index here is not what its remote has",
            Self::ConfigJson => "the index has no config.json that cargo can read",
            Self::MissingIndexFile => "the index has no file of a crate",
            Self::UnreadableIndexFile => "a crate's index file has a line that is no entry",
            Self::FileDiffers => "a crate's index file has the right lines, in another order or with other spaces",
            Self::MissingLine => "the index has no line of a published version",
            Self::LineWithoutRow => "the index has a version that the database does not know",
            Self::LineDiffers => "the index says something else of a version than the database",
            Self::YankedDiffers => "the index shows a version yanked that is not, or the other way round",
            Self::DuplicateLine => "the index has several lines of one version",
            Self::DeletedLine => "the index still has the line of a deleted version",
            Self::UnknownCrate => "the index has a crate that the database does not know",
            Self::UnexpectedFile => "the index has a file that is no crate's",
            Self::QueuedWithoutJob => "a version is queued, and no job will publish it",
            Self::YankWithoutJob => "a yank or its undoing was accepted, and no job will carry it out",
            Self::DeletionWithoutJob => "a deletion was accepted, and no job will carry it out",
            Self::EffectiveDiffers => "the database says that the index shows what it does not show",
            Self::UnknownCommit => "the database names a commit that the index does not have",
            Self::DerivedDiffers => "what the database tells of a crate does not follow from its versions",
            Self::UnreadableRow => "a row of the database contradicts itself",
            Self::DeadJob => "a job failed too often and waits for an operator",
            Self::MissingCrateFile => "a crate file is not in the store",
            Self::SizeDiffers => "a crate file has another size than the database says",
            Self::DamagedCrateFile => "a crate file has another content than its checksum says",
            Self::DeletedCrateFile => "the file of a deleted version is still in the store",
            Self::OrphanFile => "the store has a file that no version needs",
            Self::StagedLeftover => "the store has a part of a file that a killed process left",
        }
    }

    /// What an operator can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::BrokenRepository => {
                "run `git fsck --full` in the index's directory; move the repository away and run `supercargo verify \
                 --repair`, which writes a new index from the database, or put a backup in its place"
            }
            Self::ConfigJson => "start `supercargo serve` again: it writes config.json when it starts",
            Self::UnreadableRow => "put the row right by hand, from a backup or from the line in the index",
            Self::DeadJob => "see why with `supercargo jobs show ID`, then `supercargo jobs retry ID`, or --retry-dead",
            Self::MissingCrateFile | Self::DamagedCrateFile | Self::SizeDiffers => {
                "run `supercargo verify --repair --mirror URL` with the URL of a registry that has the file, or put it \
                 back from a backup"
            }
            _ => "run `supercargo verify --repair`",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub kind: Kind,
    #[serde(rename = "crate", skip_serializing_if = "Option::is_none", default)]
    pub crate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// A path in the index or in the crate store.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    pub found: String,
    pub expected: String,
    /// What a repair did about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repaired: Option<String>,
    /// Why a repair left it, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left: Option<String>,
    /// What a repair needs to know.
    #[serde(skip)]
    pub subject: Subject,
}

/// What a difference is about, by its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Subject {
    pub crate_id: Option<i32>,
    pub version_id: Option<i32>,
    pub checksum: Option<Checksum>,
    pub job: Option<JobId>,
}

impl Difference {
    pub fn new(kind: Kind, found: impl AsRef<str>, expected: impl AsRef<str>) -> Self {
        Self {
            kind,
            crate_name: None,
            version: None,
            path: None,
            found: excerpt(found.as_ref()),
            expected: excerpt(expected.as_ref()),
            repaired: None,
            left: None,
            subject: Subject::default(),
        }
    }

    pub fn of_crate(self, name: impl ToString, id: i32) -> Self {
        let subject = Subject { crate_id: Some(id), ..self.subject };
        Self { crate_name: Some(name.to_string()), subject, ..self }
    }

    pub fn of_version(self, num: impl ToString, id: i32) -> Self {
        let subject = Subject { version_id: Some(id), ..self.subject };
        Self { version: Some(num.to_string()), subject, ..self }
    }

    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    pub fn about_file(self, checksum: Checksum) -> Self {
        Self { subject: Subject { checksum: Some(checksum), ..self.subject }, ..self }
    }

    /// Whether two are about the same thing, whatever became of it.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.crate_name, &self.version, &self.path)
            == (other.kind, &other.crate_name, &other.version, &other.path)
    }

    /// It is still there.
    pub fn remains(&self) -> bool {
        self.repaired.is_none()
    }
}

/// The beginning of a text, without what a terminal would obey.
pub fn excerpt(text: &str) -> String {
    let mut chars = text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c });
    let mut short: String = chars.by_ref().take(EXCERPT).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_under_the_name_it_has_in_json() {
        for (place, kind) in Kind::ALL.iter().copied().enumerate() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(Kind::ALL.iter().position(|other| *other == kind), Some(place));
        }
        assert_eq!(Kind::StagedLeftover as usize + 1, Kind::ALL.len());
    }

    #[test]
    fn what_is_told_is_short_and_harmless() {
        assert_eq!(excerpt("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert_eq!(excerpt(&"x".repeat(300)).chars().count(), 201);
    }
}
