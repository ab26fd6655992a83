//! The major versions of PostgreSQL with which the registry is tested.

/// The oldest one that has everything that the registry's statements use.
pub const OLDEST: u32 = 13;

/// The newest one that was tried. Later ones are used with a warning.
pub const NEWEST: u32 = 18;

/// Whether a server of this major version cannot run the registry's statements.
pub fn is_too_old(major: u32) -> bool {
    major < OLDEST
}

/// The warning about a server that is newer than those that were tried; `None` if it is not.
pub fn warning_about(major: u32) -> Option<String> {
    (major > NEWEST).then(|| {
        format!(
            "PostgreSQL {major} is newer than this version of supercargo, which was tested with PostgreSQL {OLDEST} to \
             {NEWEST}: use one of these, or upgrade supercargo if there is a newer version"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tested_versions_need_no_warning() {
        for major in OLDEST..=NEWEST {
            assert!(!is_too_old(major) && warning_about(major).is_none(), "{major}");
        }
        assert!(is_too_old(OLDEST - 1) && warning_about(NEWEST + 1).is_some());
    }
}
