//! Lines that come from elsewhere, such as a bundle, in a kept index file. Versions are added and never removed, and a checksum never
//! changes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::kept_file::KeptFile;
use super::lines::lines;
use crate::index::entry::with_yanked;

/// A version that is known with another checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub version: String,
    pub kept: String,
    pub other: String,
}

/// The kept file with other lines of the same crate, which were right at a time; None if that changes nothing. A version that both have
/// keeps its line, and is yanked or not as in the newer one. One that the upstream has removed stays away.
pub fn merged(
    former: Option<&KeptFile>,
    other: &[u8],
    at: DateTime<Utc>,
) -> Result<Option<KeptFile>, Vec<Contradiction>> {
    let contradictions = former.map(|former| contradictions(former, other)).unwrap_or_default();
    if !contradictions.is_empty() {
        return Err(contradictions);
    }
    let at = at.min(Utc::now());
    let is_newer = former.is_none_or(|former| at > former.known.checked_at);
    let is_gone = |version: &str| former.is_some_and(|former| former.known.vanished.contains_key(version));
    let mut others: HashMap<String, &[u8]> = lines(other)
        .filter_map(|(text, line)| Some((line?.vers.into_owned(), text)))
        .filter(|(version, _)| !is_gone(version))
        .collect();
    let mut content = Vec::with_capacity(other.len() + former.map_or(0, |former| former.content.len()));
    let mut push = |text: &[u8]| {
        content.extend_from_slice(text);
        content.push(b'\n');
    };
    for (text, line) in former.iter().flat_map(|former| lines(&former.content)) {
        let newer = line.and_then(|line| others.remove(&*line.vers)).filter(|_| is_newer);
        let changed = newer.and_then(|newer| with_state_of(text, newer));
        push(changed.as_deref().map_or(text, str::as_bytes));
    }
    // In the order of the other file.
    for (text, _) in lines(other).filter(|(_, line)| line.as_ref().is_some_and(|line| others.contains_key(&*line.vers)))
    {
        push(text);
    }
    if former.is_some_and(|former| former.content == content) {
        return Ok(None);
    }
    let mut file = KeptFile::sent(content.into(), (None, None), former);
    // The upstream has not confirmed it.
    file.known.checked_at = former.map_or(at, |former| former.known.checked_at);
    Ok(Some(file))
}

/// A line, yanked or not as the newer one; None if it is already.
fn with_state_of(text: &[u8], newer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct State {
        yanked: Option<bool>,
    }
    let yanked =
        |text: &[u8]| serde_json::from_slice::<State>(text).ok().and_then(|line| line.yanked).unwrap_or_default();
    let wanted = yanked(newer);
    let text = std::str::from_utf8(text).ok().filter(|_| yanked(text) != wanted)?;
    with_yanked(text.trim_end(), wanted).ok()
}

fn contradictions(former: &KeptFile, other: &[u8]) -> Vec<Contradiction> {
    let mut known: HashMap<String, String> = HashMap::new();
    for (_, line) in lines(&former.content) {
        known.extend(line.map(|line| (line.vers.into_owned(), line.cksum.into_owned())));
    }
    known.extend(former.known.vanished.clone());
    known.extend(former.known.first_checksums.clone());
    let contradicting = lines(other).filter_map(|(_, line)| {
        let line = line?;
        let kept = known.get(&*line.vers).filter(|kept| !kept.eq_ignore_ascii_case(&line.cksum))?;
        Some(Contradiction { version: line.vers.to_string(), kept: kept.clone(), other: line.cksum.to_string() })
    });
    contradicting.collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn line(version: &str, sum: &str, yanked: bool) -> String {
        format!(
            "{{\"name\":\"foo\",\"vers\":\"{version}\",\"cksum\":\"{sum}\",\"yanked\":{yanked},\"pubtime\":\"2026-01-01T00:00:00Z\"}}\n"
        )
    }

    fn kept(content: String) -> KeptFile {
        KeptFile::sent(content.into(), (Some("\"tag\"".to_owned()), None), None)
    }

    #[test]
    fn versions_are_added_in_their_order_and_none_is_removed() {
        let former = kept(line("1.0.0", "aa", false) + &line("1.1.0", "bb", false));
        let other = line("1.3.0", "dd", false) + &line("1.1.0", "BB", false) + &line("1.2.0", "cc", false);
        let earlier = former.known.checked_at - TimeDelta::hours(1);
        let file = merged(Some(&former), other.as_bytes(), earlier).unwrap().unwrap();
        let versions: Vec<_> = lines(&file.content).map(|(_, line)| line.unwrap().vers.into_owned()).collect();
        assert_eq!(versions, ["1.0.0", "1.1.0", "1.3.0", "1.2.0"]);
        // The upstream is asked for the whole file, and has not confirmed this one.
        assert_eq!((file.known.etag.as_deref(), file.known.checked_at), (None, former.known.checked_at));
        assert_eq!(merged(Some(&file), other.as_bytes(), earlier), Ok(None));
    }

    #[test]
    fn the_newer_line_of_a_version_counts() {
        let former = kept(line("1.0.0", "aa", false));
        let other = line("1.0.0", "aa", true);
        let (before, after) =
            (former.known.checked_at - TimeDelta::hours(1), former.known.checked_at + TimeDelta::hours(1));
        assert_eq!(merged(Some(&former), other.as_bytes(), before), Ok(None));
        assert_eq!(merged(Some(&former), other.as_bytes(), after).unwrap().unwrap().content, other);
        let first = merged(None, other.as_bytes(), before).unwrap().unwrap();
        assert_eq!((first.content, first.known.checked_at), (other.into(), before));
    }

    #[test]
    fn a_kept_line_changes_in_nothing_but_whether_it_is_yanked_and_a_removed_version_stays_away() {
        let former = kept(line("1.0.0", "aa", false));
        let after = former.known.checked_at + TimeDelta::hours(1);
        let other = line("1.0.0", "aa", true).replace("2026-01-01", "2020-01-01");
        let merged_now = |former: &KeptFile, other: &str, at| merged(Some(former), other.as_bytes(), at);
        // A time that is still to come is now.
        let file = merged_now(&former, &other, after).unwrap().unwrap();
        assert_eq!(file.content, line("1.0.0", "aa", true));
        let away = KeptFile::sent(line("1.1.0", "bb", false).into(), (None, None), Some(&former));
        assert_eq!(merged_now(&away, &other, after), Ok(None));
    }

    #[test]
    fn another_checksum_is_refused_also_of_a_version_that_vanished() {
        let former = kept(line("1.0.0", "aa", false));
        let away = KeptFile::sent(line("1.1.0", "bb", false).into(), (None, None), Some(&former));
        let other = line("1.0.0", "cc", false);
        let refused = Contradiction { version: "1.0.0".to_owned(), kept: "aa".to_owned(), other: "cc".to_owned() };
        for kept in [&former, &away] {
            assert_eq!(merged(Some(kept), other.as_bytes(), Utc::now()), Err(vec![refused.clone()]));
        }
        // The first checksum counts.
        let changed = KeptFile::sent(line("1.0.0", "cc", false).into(), (None, None), Some(&former));
        assert!(merged(Some(&changed), other.as_bytes(), Utc::now()).is_err());
    }
}
