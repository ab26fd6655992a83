//! Why an archive is refused.

use super::limits::{MAX_DEPTH, MAX_INDEX, MAX_NAMES, MAX_RATIO};

/// What is wrong with an archive. The text names the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the file is no zip archive ({0}): send a zip of the content of target/doc")]
    NoZip(String),
    #[error("the zip begins at byte {0}, and something else comes before it: send the zip alone")]
    DataBefore(u64),
    #[error("the zip ends {0} bytes before the end of the file: send the zip alone")]
    DataBehind(u64),
    #[error("the zip says that it has {said} entries, and has {found}: zip the directory again")]
    WrongCount { said: u64, found: u64 },
    #[error("the zip has more than {0} files: leave out other crates, with `cargo doc --no-deps`")]
    TooManyFiles(usize),
    #[error(
        "the zip has more than {0} directories, as many as files are allowed: leave out other crates, with `cargo doc --no-deps`"
    )]
    TooManyDirectories(usize),
    #[error("{0:?} is below more than {MAX_DEPTH} directories: move it up, or leave it out")]
    TooDeep(String),
    #[error(
        "the paths in the zip have more than {MAX_NAMES} bytes together: leave out other crates, with `cargo doc --no-deps`, or \
         shorten the names of directories"
    )]
    NamesTooLong,
    #[error(
        "the list of the files of the zip takes more than {MAX_INDEX} bytes: leave out other crates, with `cargo doc --no-deps`, or \
         shorten their paths"
    )]
    IndexTooLarge,
    #[error(
        "the files of the zip have more than {0} bytes unpacked: leave out other crates, with `cargo doc --no-deps`"
    )]
    TooLarge(u64),
    #[error("{name:?} has more than {limit} bytes unpacked: leave it out")]
    FileTooLarge { name: String, limit: u64 },
    #[error("{0:?} is more than {MAX_RATIO} times larger unpacked than in the zip: leave it out")]
    Ratio(String),
    #[error(
        "the files of the zip are more than {MAX_RATIO} times larger unpacked: leave out those that repeat themselves"
    )]
    WholeRatio,
    #[error("the path {0:?} in the zip {1}: rename the file, or leave it out")]
    Name(String, &'static str),
    #[error("{0:?} and {1:?} are one path for some file systems: rename one of them, or leave it out")]
    OneName(String, String),
    #[error("{0:?} is twice in the zip: zip the directory again")]
    Twice(String),
    #[error("{0:?} is a file in the zip, and also a directory: zip the directory again")]
    FileAndDirectory(String),
    #[error("{0:?} is a link: zip the file that it leads to")]
    Link(String),
    #[error("{0:?} is encrypted: zip the directory without a password")]
    Encrypted(String),
    #[error("{name:?} is compressed with {method}: use deflate, or no compression")]
    Method { name: String, method: String },
    #[error("{0:?} and another file share bytes of the zip: zip the directory again")]
    Overlap(String),
    #[error(
        "{0:?} has another name or method in front of its content than in the directory of the zip: zip the directory again"
    )]
    HeadersDiffer(String),
    #[error("the content of {0:?} is damaged ({1}): zip the directory again")]
    Damaged(String, String),
    #[error(
        "the zip has no documentation of the crate: there is no {0:?} in it. Zip the content of target/doc, after `cargo doc`"
    )]
    NoCrate(String),
    #[error(
        "the zip has the documentation of several crates ({found}), and none of them is {wanted:?}: name the directory of this one, with \
         `?directory=NAME` or `supercargo docs push --directory NAME`"
    )]
    WhichCrate { wanted: String, found: String },
}
