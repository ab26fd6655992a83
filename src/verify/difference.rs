//! Differences between database, index and crate files, and their kinds.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::package::Checksum;
use crate::package::characters::is_hidden;
use crate::queue::JobId;

/// Characters of `found` and `expected` that are kept.
const EXCERPT: usize = 200;

/// The kind of a difference. Its name in reports is the variant's name, with hyphens.
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
    NotedFileDiffers,
    UnknownCommit,
    DerivedDiffers,
    CountDiffers,
    UnreadableRow,
    ManifestDiffers,
    DeadJob,
    MissingCrateFile,
    SizeDiffers,
    DamagedCrateFile,
    DeletedCrateFile,
    MissingDocs,
    DamagedDocs,
    OrphanFile,
    DamagedUpstreamFile,
    DamagedUpstreamIndexFile,
    MissingExportedFile,
    StaleExportedFile,
    ForeignExportedFile,
    StagedLeftover,
}

impl Kind {
    /// All kinds, in the order of reports.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The meaning, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::BrokenRepository => "git reports that the index's repository is damaged",
            Self::RemoteDiffers => "the index here differs from its remote",
            Self::ConfigJson => "the index has no config.json, or one that cargo cannot read",
            Self::MissingIndexFile => "a crate has no file in the index",
            Self::UnreadableIndexFile => "a crate's index file has a line that is not a valid entry",
            Self::FileDiffers => "a crate's index file has the right lines in another order or with other whitespace",
            Self::MissingLine => "a published version has no line in the index",
            Self::LineWithoutRow => "the index has a version that is not in the database",
            Self::LineDiffers => "the line of a version differs from the database",
            Self::YankedDiffers => "the index has the wrong yank state for a version",
            Self::DuplicateLine => "the index has several lines for one version",
            Self::DeletedLine => "the index still has the line of a deleted version",
            Self::UnknownCrate => "the index has a crate that is not in the database",
            Self::UnexpectedFile => "the index has a file that does not belong to a crate",
            Self::QueuedWithoutJob => "a version is queued, but no job will publish it",
            Self::YankWithoutJob => "a yank or unyank was accepted, but no job will carry it out",
            Self::DeletionWithoutJob => "a deletion was accepted, but no job will carry it out",
            Self::EffectiveDiffers => "the yank state that the database records for the index is wrong",
            Self::NotedFileDiffers => "the database records another index file for a crate than the index has",
            Self::UnknownCommit => "the database names a commit that is not in the index",
            Self::DerivedDiffers => "derived columns of a crate do not match its versions",
            Self::CountDiffers => "a number that the database keeps of the whole registry is wrong",
            Self::UnreadableRow => "the columns of a database row contradict each other",
            Self::ManifestDiffers => "the index line of a version is not what its crate file says",
            Self::DeadJob => "a job has failed too often and needs an operator",
            Self::MissingCrateFile => "a crate file is not in the store",
            Self::SizeDiffers => "the size of a crate file differs from the database",
            Self::DamagedCrateFile => "the content of a crate file does not match its checksum",
            Self::DeletedCrateFile => "the file of a deleted version is still in the store",
            Self::MissingDocs => "the documentation of a version is not in the store",
            Self::DamagedDocs => "the content of uploaded documentation does not match its checksum",
            Self::OrphanFile => "the store has a file that no version needs",
            Self::DamagedUpstreamFile => "the content of a kept crate file of an upstream does not match its checksum",
            Self::DamagedUpstreamIndexFile => "a kept index file of an upstream is damaged",
            Self::MissingExportedFile => "the copy of the index in the bucket lacks a file",
            Self::StaleExportedFile => "a file in the copy of the index differs from the commit that was exported",
            Self::ForeignExportedFile => "the copy of the index has a file that the index does not have",
            Self::StagedLeftover => "the store has a partly written file, left by a killed process",
        }
    }

    /// What an operator can do about such a difference.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::BrokenRepository => {
                "run `git fsck --full` in the index's directory; then either move the repository away and run `supercargo \
                 verify --repair`, which writes a new index from the database, or restore the index from a backup"
            }
            Self::ConfigJson => "restart `supercargo serve`: it writes config.json when it starts",
            Self::UnreadableRow => "correct the row by hand, from a backup or from the line in the index",
            Self::DeadJob => {
                "run `supercargo jobs show ID` to see why, then `supercargo jobs retry ID`, or verify with --repair --retry-dead"
            }
            Self::MissingCrateFile | Self::DamagedCrateFile | Self::SizeDiffers => {
                "run `supercargo verify --repair --mirror URL` with the URL of a registry that has the file, or copy it \
                 from a backup"
            }
            Self::MissingDocs | Self::DamagedDocs => {
                "run `supercargo verify --repair`, which looks in the quarantine, copy the file from a backup, or upload the documentation again"
            }
            Self::DamagedUpstreamFile | Self::DamagedUpstreamIndexFile => {
                "run `supercargo verify --upstreams --repair`"
            }
            Self::MissingExportedFile | Self::StaleExportedFile | Self::ForeignExportedFile => {
                "run `supercargo verify --index-export URL --repair`, or `supercargo index export --full`"
            }
            _ => "run `supercargo verify --repair`",
        }
    }
}

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
    /// What a repair did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repaired: Option<String>,
    /// Why a repair did not succeed, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left: Option<String>,
    /// For repairs.
    #[serde(skip)]
    pub subject: Subject,
}

/// The ids of what a difference is about.
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

    /// Whether both are the same kind of difference of the same thing, repaired or not.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.crate_name, &self.version, &self.path)
            == (other.kind, &other.crate_name, &other.version, &other.path)
    }

    /// Whether it was not repaired.
    pub fn remains(&self) -> bool {
        self.repaired.is_none()
    }
}

/// The start of a text, without control characters.
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
    fn excerpts_are_short_and_have_no_control_characters() {
        assert_eq!(excerpt("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert_eq!(excerpt(&"x".repeat(300)).chars().count(), 201);
    }
}
