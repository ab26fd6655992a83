//! What git's error output is about: the request, the memory or the repository.

/// Git's error for a valid request whose `deepen-since` excludes all commits.
const NOTHING_SELECTED: &str = "no commits selected for shallow requests";

/// How the errors start that options of git's own client cause: `--shallow-since` and `--shallow-exclude`.
const OF_OPTIONS: [&str; 3] =
    [NOTHING_SELECTED, "git upload-pack: deepen-not", "git upload-pack: ambiguous deepen-not"];

/// How git's errors about a request start. Errors about the repository start differently.
const ABOUT_REQUEST: [&str; 25] = [
    "protocol error",
    "git upload-pack: protocol error",
    "git upload-pack: expected",
    "git upload-pack: not our ref",
    "upload-pack: not our ref",
    "git upload-pack: deepen",
    "git upload-pack: ambiguous deepen-not",
    "git upload-pack: filtering not supported",
    "git upload-pack: filtering capability not negotiated",
    "multiple filter-specs cannot be combined",
    NOTHING_SELECTED,
    "unexpected line",
    "unknown capability",
    "unknown object format",
    "mismatched object format",
    "invalid command",
    "no command requested",
    "expected flush",
    "invalid shallow line",
    "invalid shallow object",
    "Invalid deepen",
    "invalid filter-spec",
    "filter '",
    "expected 'tree:",
    "the remote end hung up",
];

/// Parts of git's errors when memory or processor time is used up.
const OUT_OF_MEMORY: [&str; 6] =
    ["ut of memory", "malloc failed", "realloc failed", "mmap failed", "Cannot allocate memory", "died of signal 24"];

/// Git's error about the request, if the error output is about that.
pub fn about_request(stderr: &str) -> Option<&str> {
    let error = stderr.lines().find_map(|line| line.strip_prefix("fatal: "))?;
    ABOUT_REQUEST.iter().any(|start| error.starts_with(start)).then_some(error)
}

/// Whether a user of git's client can cause this error about a request. The client shows it only in an answer with
/// status 200.
pub fn is_about_an_option(complaint: &str) -> bool {
    OF_OPTIONS.iter().any(|start| complaint.starts_with(start))
}

/// Whether git ended because memory or processor time was used up.
pub fn is_out_of_memory(stderr: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_a_request_are_distinguished_from_errors_about_the_repository() {
        assert_eq!(about_request("fatal: unexpected line: 'x'"), Some("unexpected line: 'x'"));
        assert_eq!(about_request("warning: x\nfatal: protocol error: bad line"), Some("protocol error: bad line"));
        assert_eq!(about_request("fatal: not a git repository: '/x'"), None);
        assert_eq!(about_request("error: unexpected line"), None);
    }
}
