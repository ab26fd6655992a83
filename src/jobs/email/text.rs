//! What is written in a mail: plain text, with the same words for one change as for several.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::package::characters::one_line;

/// Lines for changes in one mail; the others are counted.
const LONGEST: usize = 100;
/// Characters of a text that somebody has chosen.
const EXCERPT: usize = 200;

/// A change of which a user gets mail.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The type, as webhooks have it.
    pub kind: String,
    /// Its `data`, as webhooks have it.
    pub data: Value,
    pub at: DateTime<Utc>,
}

/// Subject and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub subject: String,
    pub text: String,
}

impl Written {
    /// Names the mail by what it says: the same one has the same name, in whatever copy of the registry.
    pub fn id(&self) -> String {
        let digest = Sha256::new().chain_update(&self.subject).chain_update([0]).chain_update(&self.text).finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// For whom it is written, and where the links lead.
pub struct Reader<'a> {
    pub login: &'a str,
    /// The URL of the registry, without a slash at the end.
    pub registry: &'a str,
    pub unsubscribe_key: &'a str,
}

impl Reader<'_> {
    /// The registry as people call it: without the scheme.
    fn registry_name(&self) -> &str {
        self.registry.split_once("://").map_or(self.registry, |(_, name)| name)
    }

    /// Where the user wants no more mail, without signing in.
    pub fn unsubscribe(&self) -> String {
        format!("{}/email/unsubscribe?key={}", self.registry, self.unsubscribe_key)
    }
}

/// The mail about these changes, of which there is one at least.
pub fn about(notices: &[Notice], reader: &Reader<'_>) -> Written {
    let mut text = format!("Hello {},\n\n", reader.login);
    for notice in notices.iter().take(LONGEST) {
        let at = notice.at.format("%Y-%m-%d at %H:%M UTC");
        let _ = writeln!(text, "{}\n  on {at}", sentence(notice));
        if let Some(place) = place(notice) {
            let _ = writeln!(text, "  {}{place}", reader.registry);
        }
        text.push('\n');
    }
    if notices.len() > LONGEST {
        let more = notices.len() - LONGEST;
        let _ = match more {
            1 => writeln!(text, "1 more change is not listed here.\n"),
            _ => writeln!(text, "{more} more changes are not listed here.\n"),
        };
    }
    if notices.iter().any(|notice| !notice.kind.starts_with("job.") && !notice.kind.starts_with("verification.")) {
        text.push_str("If you did not expect this, revoke the token that was used, and ask the owners or an admin:\n");
        let _ = writeln!(text, "{}/me\n", reader.registry);
    }
    text.push_str("-- \n");
    let _ = writeln!(text, "You get this mail as a user of {}. Choose of what you get mail:", reader.registry);
    let _ = writeln!(text, "{}/me/email\nNo more mail:\n{}", reader.registry, reader.unsubscribe());
    let subject = match notices {
        [one] => sentence(one),
        several => format!("{} changes", several.len()),
    };
    Written { subject: format!("[{}] {}", reader.registry_name(), subject.trim_end_matches('.')), text }
}

/// The mail with the link that confirms an address.
pub fn confirmation(login: &str, registry: &str, secret: &str, hours: i64) -> Written {
    let reader = Reader { login, registry, unsubscribe_key: "" };
    let text = format!(
        "Hello {login},\n\nthis address was entered for the user {login} of {registry}.\nOpen this link to get mail from it:\n\n\
         {registry}/email/confirm?key={secret}\n\nIt is valid for {hours} hours. If you did not enter the address, there is nothing to \
         do: without\nthe link no mail is sent to it.\n"
    );
    Written { subject: format!("[{}] Confirm your e-mail address", reader.registry_name()), text }
}

/// The mail to an address in place of which the user has entered another.
pub fn replaced(login: &str, registry: &str) -> Written {
    let reader = Reader { login, registry, unsubscribe_key: "" };
    let text = format!(
        "Hello {login},\n\nthe user {login} of {registry} gets no more mail at this address: it was replaced or removed.\nIf that was not \
         you, end your sessions and ask an admin:\n{registry}/me\n"
    );
    Written { subject: format!("[{}] Your e-mail address was changed", reader.registry_name()), text }
}

/// The mail with which an operator sees that mail arrives.
pub fn test(registry: &str) -> Written {
    let reader = Reader { login: "", registry, unsubscribe_key: "" };
    Written {
        subject: format!("[{}] A test", reader.registry_name()),
        text: format!("This is a test of {registry}: its mail arrives at this address.\n"),
    }
}

/// A text of the data, on one line that is harmless in a terminal.
fn part(data: &Value, name: &str) -> Option<String> {
    data.pointer(name)?.as_str().map(|text| one_line(text, EXCERPT))
}

fn sentence(notice: &Notice) -> String {
    let data = &notice.data;
    let of = |name: &str| part(data, name).unwrap_or_else(|| "(unknown)".to_owned());
    let (krate, version, subject) = (of("/crate"), of("/version"), of("/subject"));
    let by = part(data, "/by").map_or_else(String::new, |by| format!(" by {by}"));
    let because = |name: &str| part(data, name).map_or_else(String::new, |reason| format!(": {reason}"));
    match &*notice.kind {
        "version.published" => format!("{krate} {version} was published{by}."),
        "version.yanked" => format!("{krate} {version} was yanked{by}{}", end(&because("/detail/message"))),
        "version.unyanked" => format!("{krate} {version} is no longer yanked, which was changed{by}."),
        "version.deleted" => format!("{krate} {version} was deleted{by}{}", end(&because("/detail/reason"))),
        "version.staged" => format!("A change of {krate} {version} was staged in a release set{by}."),
        "version.unstaged" => format!("A change of {krate} {version} was taken out of a release set{by}."),
        "crate.deleted" => format!("The crate {krate} was deleted{by}{}", end(&because("/detail/reason"))),
        "owner.added" => format!("{subject} was added to the owners of {krate}{by}."),
        "owner.removed" => format!("{subject} was removed from the owners of {krate}{by}."),
        "owner.invited" => format!("{subject} was invited to become an owner of {krate}{by}."),
        "owner.invitation_declined" => format!("{subject} does not want to become an owner of {krate}."),
        "owner.invitation_withdrawn" => {
            format!("The invitation of {subject} to become an owner of {krate} was withdrawn{by}.")
        }
        "trusted_publisher.added" => format!("A trusted publisher was added that may publish {subject}{by}."),
        "trusted_publisher.removed" => format!("A trusted publisher was removed that could publish {subject}{by}."),
        "trusted_publisher.required" => {
            format!("{krate} can be published by its trusted publishers only, which was changed{by}.")
        }
        "trusted_publisher.not_required" => {
            format!("Tokens of users can publish {krate} again, which was changed{by}.")
        }
        "token.created" => format!("The token \"{subject}\" was created{by}."),
        "token.revoked" => format!("The token \"{subject}\" was revoked{by}."),
        "user.disabled" => format!("The user {subject} was disabled{by}."),
        "user.enabled" => format!("The user {subject} was enabled{by}."),
        "user.promoted" => format!("The user {subject} was made an admin{by}."),
        "user.demoted" => format!("The user {subject} is no longer an admin, which was changed{by}."),
        "team.member_added" => format!("{} was added to the team {subject}{by}.", of("/detail/user")),
        "team.member_removed" => format!("{} was removed from the team {subject}{by}.", of("/detail/user")),
        "job.dead" => {
            let number = &data["detail"]["job"];
            format!("The job {number} has failed too often and waits for an operator{}", end(&because("/detail/error")))
        }
        "verification.differences" => {
            format!(
                "A verification has found {} differences between index, database and crate files.",
                data["detail"]["differences"]
            )
        }
        other => format!("{other}: {krate} {version} {subject}{by}."),
    }
}

/// A full stop unless the text has an end.
fn end(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// The page of what was changed, below the URL of the registry.
fn place(notice: &Notice) -> Option<String> {
    let (krate, version) = (notice.data["crate"].as_str(), notice.data["version"].as_str());
    match (&*notice.kind, krate, version) {
        ("crate.deleted", ..) => None,
        ("job.dead", ..) => Some(format!("/queue/jobs/{}", notice.data["detail"]["job"])),
        ("owner.invited" | "token.created" | "token.revoked", ..) => Some("/me".to_owned()),
        ("version.staged" | "version.unstaged", ..) => Some("/release-sets".to_owned()),
        ("version.deleted", Some(krate), _) => Some(format!("/crates/{krate}")),
        (kind, Some(krate), _) if kind.starts_with("owner.") || kind.starts_with("trusted_publisher.") => {
            Some(format!("/crates/{krate}/settings"))
        }
        (_, Some(krate), Some(version)) => Some(format!("/crates/{krate}/{}", version.replace('+', "%2B"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(kind: &str, data: Value) -> Notice {
        Notice { kind: kind.to_owned(), data, at: DateTime::from_timestamp(1_764_378_123, 0).unwrap() }
    }

    const READER: Reader<'static> =
        Reader { login: "ann", registry: "https://crates.example/registry", unsubscribe_key: "sce_1" };

    #[test]
    fn one_change_is_the_subject_and_several_are_counted() {
        let yank = notice(
            "version.yanked",
            json!({ "crate": "foo", "version": "1.0.0", "subject": null, "by": "bob", "detail": { "message": "loses data" } }),
        );
        let one = about(std::slice::from_ref(&yank), &READER);
        assert_eq!(one.subject, "[crates.example/registry] foo 1.0.0 was yanked by bob: loses data");
        insta::assert_snapshot!(one.text, @r"
        Hello ann,

        foo 1.0.0 was yanked by bob: loses data.
          on 2025-11-29 at 01:02 UTC
          https://crates.example/registry/crates/foo/1.0.0

        If you did not expect this, revoke the token that was used, and ask the owners or an admin:
        https://crates.example/registry/me

        -- 
        You get this mail as a user of https://crates.example/registry. Choose of what you get mail:
        https://crates.example/registry/me/email
        No more mail:
        https://crates.example/registry/email/unsubscribe?key=sce_1
        ");
        let many = about(&vec![yank; LONGEST + 7], &READER);
        assert_eq!(many.subject, format!("[crates.example/registry] {} changes", LONGEST + 7));
        assert!(
            many.text.contains("7 more changes are not listed here.")
                && many.text.matches("was yanked").count() == LONGEST
        );
    }

    #[test]
    fn texts_of_users_stay_on_their_line() {
        let hostile = "x\r\nBcc: eve@example.com\n\u{1b}[31m".to_owned() + &"y".repeat(1000);
        let written = about(&[notice("token.created", json!({ "subject": hostile, "by": "ann" }))], &READER);
        assert!(!written.subject.contains(char::is_control), "{:?}", written.subject);
        assert!(
            written.subject.contains("x Bcc: eve@example.com") && written.subject.len() < 400,
            "{:?}",
            written.subject
        );
        assert!(!written.text.contains('\u{1b}') && !written.text.contains("\nBcc"), "{:?}", written.text);
    }

    #[test]
    fn every_type_of_which_there_is_mail_has_words() {
        for kind in crate::webhook::event_type::TYPES {
            if !crate::jobs::email::concerned::is_mailed(kind) {
                continue;
            }
            let detail = json!({ "user": "bob", "job": 7, "differences": 2, "reason": "because" });
            let data = json!({ "crate": "foo", "version": "1.0.0", "subject": "x", "by": "eve", "detail": detail });
            let said = sentence(&notice(kind.name, data));
            assert!(said.ends_with('.') && !said.contains("(unknown)") && !said.contains(kind.name), "{said}");
        }
    }
}
