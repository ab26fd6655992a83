//! Pushing, and understanding what became of it.
//!
//! The one proof that a push has landed is git's line for the reference, in its format for programs, together with a good
//! exit status. Everything else is a failure: libraries and exit codes alone have reported success for pushes that a hook
//! refused.

use std::sync::atomic::Ordering;
use std::time::Duration;

use git2::Oid;

use super::Remote;
use crate::fault;
use crate::index::error::IndexError;
use crate::index::git_program::Ended;

const PUSH: &str = "push to";

/// What became of a push that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The remote's branch is at the commit.
    Landed,
    /// The remote's branch is not where the commit stands on.
    Moved,
}

/// Git's line about a reference that was pushed.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Landed,
    /// Refused here, because it would be no fast-forward.
    Stale,
    /// Refused there, with these words.
    Refused(&'a str),
}

impl Remote {
    /// Pushes the commit onto the remote's branch, never by force.
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
            // Whatever is still under way stands on an older commit than the remote has now.
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
            Some(Line::Refused(reason)) if is_race(reason) => Ok(Pushed::Moved),
            Some(Line::Refused(reason)) => {
                let said = from_the_remote(&ended.stderr);
                let said = if said.is_empty() { reason.to_owned() } else { format!("{said} ({reason})") };
                let said = self.without_secrets(&said);
                Err(IndexError::RemoteRefused { url: self.url(), branch: self.branch().to_owned(), said })
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
                .map(|reason| Line::Refused(reason.trim().trim_matches(['(', ')']))),
            _ => None,
        }
    })
}

/// The branch moved there between the remote's list of references and the update.
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

/// What hooks and servers wrote, each of whose lines git marks.
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
    fn a_line_without_a_good_end_proves_nothing() {
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
    fn only_the_line_of_the_branch_proves_anything() {
        let said = |line: &str| format!("To https://host/i\n{line}\nDone\n");
        let line = |flag: &str, rest: &str| said(&format!("{flag}\tabc:refs/heads/main\t{rest}"));
        for (stdout, expected) in [
            (line(" ", "1..2"), Some(Line::Landed)),
            (line("*", "[new branch]"), Some(Line::Landed)),
            (line("=", "[up to date]"), Some(Line::Landed)),
            (line("!", "[rejected] (fetch first)"), Some(Line::Stale)),
            (line("!", "[rejected] (non-fast-forward)"), Some(Line::Stale)),
            (
                line("!", "[remote rejected] (pre-receive hook declined)"),
                Some(Line::Refused("pre-receive hook declined")),
            ),
            (line("!", "[remote failure] (remote failed to report status)"), None),
            (line("+", "1...2 (forced update)"), None),
            (said(" \tabc:refs/heads/other\t1..2"), None),
            ("Done\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(find_line(&stdout, BRANCH), expected, "{stdout}");
        }
    }

    #[test]
    fn what_a_hook_says_is_told_and_what_git_adds_is_not() {
        let stderr = "remote: Only releases on Fridays.\nremote: \nremote: Ask ops.\nerror: failed to push some refs\n";
        assert_eq!(from_the_remote(stderr), "Only releases on Fridays. Ask ops.");
    }
}
