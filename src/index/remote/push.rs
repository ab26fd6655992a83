//! Pushing, and interpreting the result.
//!
//! A push has succeeded only if git's porcelain output has a line for the reference that says so and the exit status is
//! 0. Everything else is a failure: libraries and exit codes alone have reported success for pushes that a hook
//! rejected.

use std::sync::atomic::Ordering;
use std::time::Duration;

use git2::Oid;

use super::Remote;
use crate::fault;
use crate::index::error::IndexError;
use crate::index::git_program::Ended;

const PUSH: &str = "push to";

/// The outcome of a push that the remote answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The remote's branch is at the pushed commit.
    Landed,
    /// The remote's branch was not at the base of the pushed commit.
    Moved,
}

/// git's line about a pushed reference.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Landed,
    /// Rejected locally, because it is not a fast-forward.
    Stale,
    /// Rejected by the remote, with this message.
    Rejected(&'a str),
}

impl Remote {
    /// Pushes the commit to the remote's branch, fast-forward only.
    pub(super) fn push(
        &self,
        repository: &std::path::Path,
        commit: Oid,
        limit: Duration,
    ) -> Result<Pushed, IndexError> {
        fault::point("index.before_push")?;
        let refspec = format!("{commit}:{}", self.reference());
        let directory = repository.to_string_lossy();
        let arguments =
            ["--git-dir", &directory, "push", "--porcelain", "--no-verify", "--", &self.0.options.url, &refspec];
        let pushed = self.run(PUSH, &arguments, limit, |ended| self.judge_push(ended));
        match &pushed {
            // An earlier push that is still in flight is based on an older commit than the remote has now.
            Ok(_) => self.0.unsettled.store(false, Ordering::SeqCst),
            Err(IndexError::RemoteRefused { .. }) => {}
            Err(_) => self.0.unsettled.store(true, Ordering::SeqCst),
        }
        pushed
    }

    fn judge_push(&self, ended: Ended) -> Result<Pushed, IndexError> {
        let good = ended.status.is_some_and(|status| status.success());
        match find_line(&ended.stdout, &self.reference()) {
            Some(Line::Landed) if good => Ok(Pushed::Landed),
            Some(Line::Stale) => Ok(Pushed::Moved),
            Some(Line::Rejected(reason)) if is_race(reason) => Ok(Pushed::Moved),
            Some(Line::Rejected(reason)) => {
                let message = from_the_remote(&ended.stderr);
                let message = if message.is_empty() { reason.to_owned() } else { format!("{message} ({reason})") };
                let message = self.without_secrets(&message);
                Err(IndexError::RemoteRefused { url: self.url(), branch: self.branch().to_owned(), message })
            }
            Some(Line::Landed) | None => Err(self.failed(PUSH, &ended.stderr)),
        }
    }
}

/// `<flag> TAB <from>:<to> TAB <summary>`, source: git-push(1), "Output".
fn find_line<'a>(stdout: &'a str, reference: &str) -> Option<Line<'a>> {
    stdout.lines().find_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (flag, refs, summary) = (parts.next()?, parts.next()?, parts.next()?);
        if refs.rsplit(':').next() != Some(reference) {
            return None;
        }
        match flag {
            " " | "*" | "=" => Some(Line::Landed),
            "!" if summary.starts_with("[rejected]") => Some(Line::Stale),
            "!" => summary
                .strip_prefix("[remote rejected]")
                .map(|reason| Line::Rejected(reason.trim().trim_matches(['(', ')']))),
            _ => None,
        }
    })
}

/// Whether the remote's branch moved between its list of references and the update.
fn is_race(reason: &str) -> bool {
    [
        "failed to update ref",
        "cannot lock ref",
        "incorrect old value provided",
        "fetch first",
        "reference already exists",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

/// The messages of hooks and servers, which git marks with a prefix.
fn from_the_remote(stderr: &str) -> String {
    let lines = stderr.lines().filter_map(|line| line.trim_start().strip_prefix("remote:")).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;
    use crate::index::git_program::GitProgram;
    use crate::index::remote::{Credentials, RemoteOptions};

    const BRANCH: &str = "refs/heads/main";

    #[test]
    fn a_line_counts_only_with_exit_status_0() {
        let options = RemoteOptions {
            url: "/index.git".to_owned(),
            branch: "main".to_owned(),
            limit: Duration::from_secs(1),
            credentials: Credentials::default(),
            environment: Vec::new(),
        };
        let remote = Remote::new(options, GitProgram::default());
        let judged = |code: i32| {
            let stdout = format!("To /index.git\n*\tabc:{BRANCH}\t[new branch]\nDone\n");
            let status = Some(ExitStatus::from_raw(code << 8));
            remote.judge_push(Ended { status, stdout, stderr: "error: gone".to_owned() })
        };
        assert_eq!(judged(0).unwrap(), Pushed::Landed);
        assert!(judged(1).unwrap_err().to_string().contains("gone"));
    }

    #[test]
    fn only_the_line_of_the_branch_counts() {
        let message = |line: &str| format!("To https://host/i\n{line}\nDone\n");
        let line = |flag: &str, rest: &str| message(&format!("{flag}\tabc:refs/heads/main\t{rest}"));
        for (stdout, expected) in [
            (line(" ", "1..2"), Some(Line::Landed)),
            (line("*", "[new branch]"), Some(Line::Landed)),
            (line("=", "[up to date]"), Some(Line::Landed)),
            (line("!", "[rejected] (fetch first)"), Some(Line::Stale)),
            (line("!", "[rejected] (non-fast-forward)"), Some(Line::Stale)),
            (
                line("!", "[remote rejected] (pre-receive hook declined)"),
                Some(Line::Rejected("pre-receive hook declined")),
            ),
            (line("!", "[remote failure] (remote failed to report status)"), None),
            (line("+", "1...2 (forced update)"), None),
            (message(" \tabc:refs/heads/other\t1..2"), None),
            ("Done\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(find_line(&stdout, BRANCH), expected, "{stdout}");
        }
    }

    #[test]
    fn messages_of_hooks_are_shown_without_those_of_git() {
        let stderr = "remote: Only releases on Fridays.\nremote: \nremote: Ask ops.\nerror: failed to push some refs\n";
        assert_eq!(from_the_remote(stderr), "Only releases on Fridays. Ask ops.");
    }
}
