//! The types of events, as receivers know them, and patterns that choose among them.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Two words with a dot, as Standard Webhooks wants it.
    pub name: &'static str,
    /// What it tells.
    pub tells: &'static str,
    /// The change in the audit log that it tells of; none if something else does.
    action: Option<&'static str>,
}

const fn of(name: &'static str, action: &'static str, tells: &'static str) -> EventType {
    EventType { name, tells, action: Some(action) }
}

const fn other(name: &'static str, tells: &'static str) -> EventType {
    EventType { name, tells, action: None }
}

pub const JOB_DEAD: EventType = other("job.dead", "a job has failed as often as it may, and waits for an operator");
pub const DIFFERENCES: EventType =
    other("verification.differences", "a verification has found that index, database and crate files differ");
pub const TEST: EventType =
    other("webhook.test", "a test; every webhook gets it, when it is added and when it is asked for");

/// All types.
pub const TYPES: &[EventType] = &[
    of("version.published", "publish", "the index shows a new version"),
    of("version.yanked", "yank", "the index shows a version as yanked"),
    of("version.unyanked", "unyank", "the index no longer shows a version as yanked"),
    of("version.deleted", "version-delete", "a version was deleted from the index"),
    of("version.staged", "stage", "a version, a yank or a deletion was staged in a release set"),
    of("version.unstaged", "unstage", "it was taken out of the set"),
    of("crate.deleted", "crate-delete", "a crate and all its versions were deleted"),
    of("advisory.published", "advisory-add", "a security advisory about a crate was published"),
    of("advisory.changed", "advisory-edit", "it says something else, such as which versions are patched"),
    of("advisory.withdrawn", "advisory-withdraw", "it was withdrawn"),
    of("owner.added", "owner-add", "a crate has another owner, a user or a team"),
    of("owner.removed", "owner-remove", "a crate has lost an owner"),
    of("owner.invited", "owner-invite", "a user was invited to own a crate"),
    of("owner.invitation_declined", "owner-invite-decline", "the user has declined"),
    of("owner.invitation_withdrawn", "owner-invite-withdraw", "the invitation was withdrawn"),
    of("trusted_publisher.added", "publisher-add", "a workflow may publish a crate"),
    of("trusted_publisher.removed", "publisher-remove", "it may no longer"),
    of("trusted_publisher.required", "publishing-restrict", "only trusted publishers may publish a crate"),
    of("trusted_publisher.not_required", "publishing-unrestrict", "tokens of users may publish it again"),
    of("release_set.created", "set-create", "a release set was created"),
    of("release_set.approval", "set-approval", "a release set has one approval more, or one less"),
    of("release_set.approved", "set-approve", "a release set was approved, and its versions are being published"),
    of("release_set.rejected", "set-reject", "a release set was rejected"),
    of("release_set.expired", "set-expire", "a release set has expired"),
    of("token.created", "token-create", "a user, or a machine, has another token"),
    of("token.revoked", "token-revoke", "a token was revoked"),
    of("user.created", "user-create", "there is another user"),
    of("user.disabled", "user-disable", "a user was disabled"),
    of("user.enabled", "user-enable", "a user is active again"),
    of("user.removed", "user-remove", "a user was removed"),
    of("user.promoted", "user-promote", "a user became an admin"),
    of("user.demoted", "user-demote", "a user is no admin any longer"),
    of("team.member_added", "team-member-add", "a team has another member"),
    of("team.member_removed", "team-member-remove", "a team has lost a member"),
    of("docs.uploaded", "docs-upload", "a version has other documentation"),
    of("docs.deleted", "docs-delete", "the documentation of a version was deleted"),
    JOB_DEAD,
    DIFFERENCES,
    TEST,
];

impl EventType {
    /// The type that tells of a change in the audit log, if one does.
    pub fn of_action(action: &str) -> Option<Self> {
        TYPES.iter().copied().find(|one| one.action == Some(action))
    }

    /// Whether it tells of something of one crate, which may be a test.
    pub fn is_of_a_crate(&self) -> bool {
        matches!(self.group(), "version" | "docs" | "crate" | "advisory" | "owner" | "trusted_publisher" | "webhook")
    }

    /// The first word.
    pub fn group(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(group, _)| group)
    }
}

/// One type, a group of them such as `version.*`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern(String);

/// The text matches no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type of event: use one such as `version.published`, a group such as `version.*`, or `*`. The groups are {groups}", groups = groups())]
pub struct UnknownEvent(pub String);

fn groups() -> String {
    let mut groups: Vec<&str> = TYPES.iter().map(EventType::group).collect();
    groups.dedup();
    groups.join(", ")
}

impl EventPattern {
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// The pattern that somebody gives, which matches a type at least.
    pub fn checked(text: &str) -> Result<Self, UnknownEvent> {
        let pattern = Self(text.to_owned());
        if TYPES.iter().any(|kind| pattern.matches(kind)) {
            Ok(pattern)
        } else {
            Err(UnknownEvent(text.chars().take(100).collect()))
        }
    }

    pub fn matches(&self, kind: &EventType) -> bool {
        match self.0.strip_suffix(".*") {
            Some(group) => kind.group() == group,
            None => self.0 == "*" || self.0 == kind.name,
        }
    }
}

/// As it is stored: one that a newer program has stored matches nothing here.
impl FromStr for EventPattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_a_group_or_all() {
        let matches = |pattern: &str| {
            let pattern = EventPattern::checked(pattern).unwrap();
            TYPES.iter().filter(|kind| pattern.matches(kind)).map(|kind| kind.name).collect::<Vec<_>>()
        };
        assert_eq!(matches("version.yanked"), ["version.yanked"]);
        assert_eq!(matches("owner.*").len(), 5);
        assert_eq!(matches("team.*"), ["team.member_added", "team.member_removed"]);
        assert_eq!(matches("*").len(), TYPES.len());
        for wrong in ["", "version", "version.", ".*", "ver*", "version.*.*", "Version.yanked", "other.*"] {
            let error = EventPattern::checked(wrong).unwrap_err().to_string();
            assert!(
                error.contains("version, crate, advisory, owner, trusted_publisher, release_set, token, user, team"),
                "{error}"
            );
        }
    }

    /// Standard Webhooks, "Event types": words of ASCII letters, digits and `_`, with dots between them.
    #[test]
    fn types_have_names_of_the_specification_and_no_two_tell_of_the_same_change() {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        for (place, kind) in TYPES.iter().enumerate() {
            assert!(kind.name.split('.').count() == 2 && kind.name.split('.').all(is_word), "{}", kind.name);
            let others = &TYPES[place + 1..];
            assert!(others.iter().all(|other| other.name != kind.name), "{}", kind.name);
            assert!(kind.action.is_none() || others.iter().all(|other| other.action != kind.action), "{}", kind.name);
        }
        assert_eq!(EventType::of_action("yank").unwrap().name, "version.yanked");
        assert_eq!(EventType::of_action("sign-in"), None);
    }
}
