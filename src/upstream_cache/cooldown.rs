//! Versions that are too young to be chosen. The index shows them as yanked: cargo chooses another version, and a Cargo.lock that
//! names one still resolves. Without its line, `--locked` would fail.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::kept_file::KeptFile;
use super::lines::{Line, lines};
use super::rules::CrateRules;
use crate::database::upstream_rules::Decision;
use crate::index::entry::with_yanked;

/// A file as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub content: Bytes,
    /// When the next version comes of age; None if none is young.
    pub until: Option<DateTime<Utc>>,
}

/// Until when a version is too young, at this moment; None if it is old enough.
pub fn young_until(file: &KeptFile, line: &Line<'_>, age: TimeDelta, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let since = line.published_at().or_else(|| file.known.first_seen.get(&*line.vers).copied())?;
    since.checked_add_signed(age).filter(|until| *until > now)
}

/// A file with its young, its blocked and its changed versions as yanked ones. Every other byte is that of the upstream.
pub fn shown(file: &KeptFile, age: Option<TimeDelta>, rules: Option<&CrateRules>, now: DateTime<Utc>) -> Shown {
    let as_it_is = || Shown { content: file.content.clone(), until: None };
    if age.is_none() && rules.is_none() && file.known.first_checksums.is_empty() {
        return as_it_is();
    }
    let mut until: Option<DateTime<Utc>> = None;
    let mut is_edited = false;
    let mut content = Vec::with_capacity(file.content.len() + 64);
    for (text, line) in lines(&file.content) {
        let decided = line.as_ref().and_then(|line| rules?.about(&line.vers)).map(|(decision, _)| decision);
        let young = match (decided, age, &line) {
            (None, Some(age), Some(line)) => young_until(file, line, age, now),
            _ => None,
        };
        until = [until, young].into_iter().flatten().min();
        let is_changed = line.as_ref().is_some_and(|line| file.known.first_checksums.contains_key(&*line.vers));
        let is_held = decided == Some(Decision::Block) || young.is_some() || (is_changed && decided.is_none());
        let edited =
            if is_held { std::str::from_utf8(text).ok().and_then(|text| with_yanked(text, true).ok()) } else { None };
        is_edited |= edited.is_some();
        content.extend_from_slice(edited.as_ref().map_or(text, |edited| edited.as_bytes()));
        content.push(b'\n');
    }
    if !is_edited {
        return as_it_is();
    }
    Shown { content: content.into(), until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::upstream_rules::Rule;
    use crate::upstream_cache::rules::Rules;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn file(lines: &str) -> KeptFile {
        KeptFile::sent(lines.to_owned().into(), (None, None), None)
    }

    const OLD: &str = r#"{"name":"foo","vers":"1.0.0","cksum":"00","yanked":false,"pubtime":"2026-01-01T00:00:00Z"}"#;
    const NEW: &str = r#"{"name":"foo","vers":"1.1.0","cksum":"00","yanked":false,"pubtime":"2026-01-09T00:00:00Z"}"#;
    const NO_TIME: &str = r#"{"name":"foo","vers":"1.2.0","cksum":"00"}"#;

    #[test]
    fn a_young_version_is_yanked_until_it_is_of_age() {
        let file = file(&format!("{OLD}\n{NEW}\n{NO_TIME}\n"));
        let of = |now: &str| shown(&file, Some(TimeDelta::days(3)), None, at(now));
        let young = of("2026-01-10T00:00:00Z");
        let yanked = NEW.replace("false", "true");
        assert_eq!(young.content, format!("{OLD}\n{yanked}\n{NO_TIME}\n"));
        assert_eq!(young.until, Some(at("2026-01-12T00:00:00Z")));
        assert_eq!(of("2026-01-12T00:00:00Z"), Shown { content: file.content.clone(), until: None });
        assert_eq!(shown(&file, None, None, at("2026-01-10T00:00:00Z")).content, file.content);
    }

    #[test]
    fn a_version_that_was_seen_later_without_a_time_is_as_old_as_that() {
        let former = file(&format!("{OLD}\n"));
        let file = KeptFile::sent(format!("{OLD}\n{NO_TIME}\n").into(), (None, None), Some(&former));
        let now = Utc::now();
        let young = shown(&file, Some(TimeDelta::days(3)), None, now);
        assert!(young.until.is_some_and(|until| until - now <= TimeDelta::days(3)));
        assert!(young.content.ends_with(b"\"cksum\":\"00\",\"yanked\":true}\n"), "{:?}", young.content);
        assert_eq!(shown(&file, Some(TimeDelta::days(3)), None, now + TimeDelta::days(4)).content, file.content);
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
            shown(&file, age, rules.as_deref(), at("2026-01-10T00:00:00Z"))
        };
        let allowed = of(&[rule("1.1.0", Decision::Allow)], Some(TimeDelta::days(3)));
        assert_eq!(allowed, Shown { content: file.content.clone(), until: None });
        let blocked = of(&[rule("", Decision::Block), rule("1.1.0", Decision::Allow)], None);
        assert_eq!(blocked.content, format!("{}\n{NEW}\n", OLD.replace("false", "true")));
        assert_eq!(blocked.until, None);
    }
}
