//! A change of one file of the index.

use bytes::Bytes;

use super::error::IndexError;

/// The longest path, in bytes. A crate's path has at most 70: `ab/cd/` and 64 characters.
const MAX_PATH: usize = 255;

/// The desired content of a file and the message of the commit that writes it.
///
/// If the file has that content already, no commit is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file's path from the root of the index, its parts separated by `/`.
    pub path: String,
    /// The whole file; `None` removes it.
    pub content: Option<Bytes>,
    /// The commit message.
    pub message: String,
}

impl Change {
    /// Checks that the path is valid in a git tree on every system that may check it out.
    pub fn check_path(&self) -> Result<(), IndexError> {
        let refuse = |reason| Err(IndexError::InvalidPath { path: self.path.clone(), reason });
        if self.path.is_empty() {
            return refuse("it is empty");
        }
        if self.path.len() > MAX_PATH {
            return refuse("it has more than 255 bytes");
        }
        if !self.path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) {
            return refuse("only ASCII letters, digits, `-`, `_`, `.` and `/` are allowed");
        }
        for part in self.path.split('/') {
            match part {
                "" => return refuse("it begins or ends with `/` or contains `//`"),
                "." | ".." => return refuse("`.` and `..` are not allowed"),
                _ if part.eq_ignore_ascii_case(".git") => return refuse("`.git` is reserved by git"),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str) -> Result<(), String> {
        let change = Change { path: path.to_owned(), content: None, message: String::new() };
        change.check_path().map_err(|error| error.to_string())
    }

    #[test]
    fn paths_of_crates_and_the_configuration_are_accepted() {
        let longest = format!("aa/aa/{}", "a".repeat(64));
        for path in ["config.json", "1/a", "2/ab", "3/a/abc", "se/rd/serde_json", longest.as_str()] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_leave_the_tree_or_break_a_checkout_are_rejected() {
        for path in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/b", "a\\b", "a\0b", "ä/b", "a b"]
        {
            let error = check(path).expect_err(path);
            assert!(error.contains("cannot be a path of the index"), "{error}");
        }
        assert!(check(&"a".repeat(256)).is_err());
    }
}
