//! What becomes of a version of an upstream: shown, or shown as yanked, and delivered or not.
//!
//! A version that is not to be chosen is shown as yanked: cargo chooses another one, and a Cargo.lock that names it still resolves.
//! Without its line, `--locked` would fail.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use semver::Version;

use super::advisories::{CrateAdvisories, Noted};
use super::kept_file::KeptFile;
use super::lines::{Line, lines};
use super::rules::{CrateRules, Names};
use crate::advisory::policy::{Action, Actions};
use crate::database::upstream_rules::Decision;
use crate::index::entry::with_yanked;

/// By what the versions of a crate are judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The age at which they are shown.
    pub age: Option<TimeDelta>,
    /// What people have decided.
    pub rules: Option<Arc<CrateRules>>,
    /// What advisories say.
    pub advisories: Option<Arc<CrateAdvisories>>,
    /// What becomes of versions that they affect.
    pub actions: Actions,
}

/// What becomes of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passes,
    /// It is too young until then.
    Young(DateTime<Utc>),
    /// It is on hold, for this reason.
    Held(String),
    /// It is blocked, for this reason.
    Blocked(String),
    /// Its checksum was this one before.
    Changed(String),
    /// An advisory affects it, for which it is hidden or refused.
    Vulnerable(Arc<Noted>, Action),
}

/// To whom a version is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Always,
    /// Only if its file is kept: a build that worked yesterday works today.
    IfKept,
    Never,
}

impl Policy {
    /// Whether every version of a file passes, whatever its lines are.
    fn passes_all(&self, file: &KeptFile) -> bool {
        let Self { age, rules, advisories, actions: _ } = self;
        age.is_none() && rules.is_none() && advisories.is_none() && file.known.first_checksums.is_empty()
    }

    /// What becomes of the version of a line. What people have decided about it counts first. That its crate may pass lifts the age
    /// alone.
    pub fn judge(&self, file: &KeptFile, line: &Line<'_>, now: DateTime<Utc>) -> Verdict {
        let decided = self.rules.as_ref().and_then(|rules| rules.about(&line.vers));
        // Of several with the same number, one that names none of them could mean any.
        let is_meant = |names| names != Names::WithoutBuild || has_no_sibling(file, &line.vers);
        match decided {
            Some((Decision::Allow, _, names)) if names != Names::Crate && is_meant(names) => return Verdict::Passes,
            Some((Decision::Allow, ..)) | None => {}
            Some((Decision::Hold, reason, _)) => return Verdict::Held(reason.to_owned()),
            Some((Decision::Block, reason, _)) => return Verdict::Blocked(reason.to_owned()),
        }
        let may_be_young = matches!(decided, Some((Decision::Allow, _, Names::Crate)));
        if let Some(first) = file.known.first_checksums.get(&*line.vers) {
            return Verdict::Changed(first.clone());
        }
        let version = self.advisories.as_ref().and_then(|_| line.vers.parse::<Version>().ok());
        let advised = self.advisories.as_ref().zip(version.as_ref());
        let affecting = advised.and_then(|(advisories, version)| advisories.about(version, &self.actions));
        if let Some((noted, Action::Refuse)) = affecting {
            return Verdict::Vulnerable(noted, Action::Refuse);
        }
        let is_mended = || {
            advised.is_some_and(|(advisories, version)| advisories.names_as_mended(version))
                && has_no_sibling(file, &line.vers)
        };
        match (self.young_until(file, line, now), affecting) {
            (Some(until), _) if !may_be_young && !is_mended() => Verdict::Young(until),
            (_, Some((noted, Action::Hide))) => Verdict::Vulnerable(noted, Action::Hide),
            _ => Verdict::Passes,
        }
    }

    /// Until when a version is too young; None if it is old enough.
    fn young_until(&self, file: &KeptFile, line: &Line<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let since = line.published_at().or_else(|| file.known.first_seen.get(&*line.vers).copied())?;
        since.checked_add_signed(self.age?).filter(|until| *until > now)
    }
}

/// Whether no other version of a file has the same number with other build metadata.
fn has_no_sibling(file: &KeptFile, version: &str) -> bool {
    fn number(version: &str) -> &str {
        version.split_once('+').map_or(version, |(number, _)| number)
    }
    let is_same = |line: &Line<'_>| number(&line.vers) == number(version);
    lines(&file.content).filter(|(_, line)| line.as_ref().is_some_and(is_same)).count() == 1
}

impl Verdict {
    /// Whether the index shows the version as yanked.
    pub fn is_shown_as_yanked(&self) -> bool {
        match self {
            Self::Passes => false,
            Self::Young(_) | Self::Held(_) | Self::Blocked(_) | Self::Changed(_) | Self::Vulnerable(..) => true,
        }
    }

    /// To whom it is delivered. `is_strict`: a young version is refused even if it is kept.
    pub fn delivery(&self, is_strict: bool) -> Delivery {
        match self {
            Self::Passes | Self::Vulnerable(_, Action::Warn | Action::Hide) => Delivery::Always,
            Self::Young(_) | Self::Held(_) if !is_strict => Delivery::IfKept,
            Self::Young(_)
            | Self::Held(_)
            | Self::Blocked(_)
            | Self::Changed(_)
            | Self::Vulnerable(_, Action::Refuse) => Delivery::Never,
        }
    }
}

/// A file as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub content: Bytes,
    /// When the next version comes of age; None if none is young.
    pub until: Option<DateTime<Utc>>,
}

/// A file with the versions that are not to be chosen as yanked ones. Every other byte is that of the upstream.
pub fn shown(file: &KeptFile, policy: &Policy, now: DateTime<Utc>) -> Shown {
    let as_it_is = || Shown { content: file.content.clone(), until: None };
    if policy.passes_all(file) {
        return as_it_is();
    }
    let mut until: Option<DateTime<Utc>> = None;
    let mut is_edited = false;
    let mut content = Vec::with_capacity(file.content.len() + 64);
    for (text, line) in lines(&file.content) {
        let verdict = line.map_or(Verdict::Passes, |line| policy.judge(file, &line, now));
        if let Verdict::Young(end) = verdict {
            until = Some(until.map_or(end, |earlier| earlier.min(end)));
        }
        if !verdict.is_shown_as_yanked() {
            content.extend_from_slice(text);
            content.push(b'\n');
            continue;
        }
        is_edited = true;
        let yanked = std::str::from_utf8(text).ok().and_then(|text| with_yanked(text.trim_end(), true).ok());
        // A line that cannot be changed is not shown.
        if let Some(yanked) = yanked {
            content.extend_from_slice(yanked.as_bytes());
            content.push(b'\n');
        }
    }
    if !is_edited {
        return as_it_is();
    }
    Shown { content: content.into(), until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::upstream_rules::{Decision, Rule};
    use crate::upstream_cache::rules::Rules;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn file(lines: &str) -> KeptFile {
        KeptFile::sent(lines.to_owned().into(), (None, None), None)
    }

    fn aged(days: i64) -> Policy {
        Policy { age: Some(TimeDelta::days(days)), ..Policy::default() }
    }

    const OLD: &str = r#"{"name":"foo","vers":"1.0.0","cksum":"00","yanked":false,"pubtime":"2026-01-01T00:00:00Z"}"#;
    const NEW: &str = r#"{"name":"foo","vers":"1.1.0","cksum":"00","yanked":false,"pubtime":"2026-01-09T00:00:00Z"}"#;
    const NO_TIME: &str = r#"{"name":"foo","vers":"1.2.0","cksum":"00"}"#;

    #[test]
    fn a_young_version_is_yanked_until_it_is_of_age() {
        let file = file(&format!("{OLD}\n{NEW}\n{NO_TIME}\n"));
        let of = |now: &str| shown(&file, &aged(3), at(now));
        let young = of("2026-01-10T00:00:00Z");
        let yanked = NEW.replace("false", "true");
        assert_eq!(young.content, format!("{OLD}\n{yanked}\n{NO_TIME}\n"));
        assert_eq!(young.until, Some(at("2026-01-12T00:00:00Z")));
        assert_eq!(of("2026-01-12T00:00:00Z"), Shown { content: file.content.clone(), until: None });
        assert_eq!(shown(&file, &Policy::default(), at("2026-01-10T00:00:00Z")).content, file.content);
    }

    #[test]
    fn a_line_that_ends_as_on_windows_is_yanked_too() {
        let young = shown(&file(&format!("{OLD}\r\n{NEW}\r\n")), &aged(3), at("2026-01-10T00:00:00Z"));
        assert_eq!(young.content, format!("{OLD}\r\n{}\n", NEW.replace("false", "true")));
    }

    #[test]
    fn a_version_that_was_seen_later_without_a_time_is_as_old_as_that() {
        let former = file(&format!("{OLD}\n"));
        let file = KeptFile::sent(format!("{OLD}\n{NO_TIME}\n").into(), (None, None), Some(&former));
        let now = Utc::now();
        let young = shown(&file, &aged(3), now);
        assert!(young.until.is_some_and(|until| until - now <= TimeDelta::days(3)));
        assert!(young.content.ends_with(b"\"cksum\":\"00\",\"yanked\":true}\n"), "{:?}", young.content);
        assert_eq!(shown(&file, &aged(3), now + TimeDelta::days(4)).content, file.content);
    }

    #[test]
    fn a_rule_counts_before_the_age() {
        let file = file(&format!("{OLD}\n{NEW}\n"));
        let rule = |version: &str, decision: Decision| Rule {
            id: 1,
            upstream: "crates-io".to_owned(),
            canonical_name: "foo".to_owned(),
            crate_name: "foo".to_owned(),
            version: version.to_owned(),
            decision,
            reason: "a test".to_owned(),
            actor: "ops".to_owned(),
            created_at: Utc::now(),
        };
        let of = |rules: &[Rule], age: Option<TimeDelta>| {
            let rules = Rules::of("crates-io", rules).of_crate(&"foo".parse().unwrap());
            shown(&file, &Policy { age, rules, ..Policy::default() }, at("2026-01-10T00:00:00Z"))
        };
        let allowed = of(&[rule("1.1.0", Decision::Allow)], Some(TimeDelta::days(3)));
        assert_eq!(allowed, Shown { content: file.content.clone(), until: None });
        let blocked = of(&[rule("", Decision::Block), rule("1.1.0", Decision::Allow)], None);
        assert_eq!(blocked.content, format!("{}\n{NEW}\n", OLD.replace("false", "true")));
        assert_eq!(blocked.until, None);
        // People leave build metadata out. Of two that differ by it alone, an allowance means none.
        let built = |lines: &str| KeptFile::sent(lines.to_owned().into(), (None, None), None);
        let (one, two) = (NEW.replace("1.1.0", "1.1.0+a"), NEW.replace("1.1.0", "1.1.0+b"));
        let verdict = |lines: &str, decision: Decision| {
            let rules = Rules::of("crates-io", &[rule("1.1.0", decision)]).of_crate(&"foo".parse().unwrap());
            let policy = Policy { age: Some(TimeDelta::days(3)), rules, ..Policy::default() };
            shown(&built(lines), &policy, at("2026-01-10T00:00:00Z")).content
        };
        assert_eq!(verdict(&format!("{one}\n"), Decision::Allow), format!("{one}\n"));
        let both = format!("{one}\n{two}\n");
        assert_eq!(verdict(&both, Decision::Allow), both.replace("false", "true"));
        assert_eq!(verdict(&both, Decision::Block), both.replace("false", "true"));
        // That a crate may pass lifts the age, and not what its upstream changed.
        let changed = KeptFile::sent(file.content.clone(), (None, None), Some(&built(&NEW.replace("00\"", "11\""))));
        let policy = |rules: &[Rule]| Policy {
            age: Some(TimeDelta::days(3)),
            rules: Rules::of("crates-io", rules).of_crate(&"foo".parse().unwrap()),
            ..Policy::default()
        };
        let content = |rules: &[Rule]| shown(&changed, &policy(rules), at("2026-01-10T00:00:00Z")).content;
        let held_back = format!("{OLD}\n{}\n", NEW.replace("false", "true"));
        assert_eq!(content(&[rule("", Decision::Allow)]), held_back);
        assert_eq!(content(&[rule("1.1.0", Decision::Allow)]), file.content);
        // What is on hold comes of no age.
        let held = of(&[rule("1.1.0", Decision::Hold)], Some(TimeDelta::days(3)));
        assert_eq!(held, Shown { content: format!("{OLD}\n{}\n", NEW.replace("false", "true")).into(), until: None });
    }
}
