//! Messages of the index's commits. A message is made from the difference between a crate's file before and after, so it is
//! right whichever job writes the file.

use std::collections::BTreeMap;

use crate::index::shown::{ShownVersion, shown_versions};
use crate::package::CrateName;

/// The most changes that a commit's subject names; the rest are counted.
const NAMED: usize = 5;

/// Names the changes of a crate's file. A file that cannot be read is replaced as a whole.
pub(super) fn commit_message(name: &CrateName, before: Option<&[u8]>, after: &[u8]) -> String {
    let (Ok(before), Ok(after)) = (shown_versions(before.unwrap_or_default()), shown_versions(after)) else {
        return format!("Repair {name}");
    };
    of_changes(name, &changes(&before, &after))
}

/// Names these changes, each with its verb.
pub(super) fn of_changes(name: &CrateName, changes: &[(&str, &str)]) -> String {
    match changes {
        [] => format!("Rewrite {name}"),
        [(verb, num)] => format!("{verb} {name} {num}"),
        several => {
            let mut named: Vec<_> =
                several.iter().take(NAMED).map(|(verb, num)| format!("{} {num}", verb.to_lowercase())).collect();
            if several.len() > NAMED {
                named.push(format!("{} more", several.len() - NAMED));
            }
            format!("Update {name}: {}", named.join(", "))
        }
    }
}

fn changes<'a>(before: &'a [ShownVersion], after: &'a [ShownVersion]) -> Vec<(&'static str, &'a str)> {
    let old: BTreeMap<_, _> = before.iter().map(|one| (&*one.vers, one.yanked)).collect();
    let new: BTreeMap<_, _> = after.iter().map(|one| (&*one.vers, one.yanked)).collect();
    let removed = before.iter().filter(|one| !new.contains_key(&*one.vers)).map(|one| ("Remove", &*one.vers));
    after
        .iter()
        .filter_map(|one| match (old.get(&*one.vers), one.yanked) {
            (None, _) => Some(("Publish", &*one.vers)),
            (Some(false), true) => Some(("Yank", &*one.vers)),
            (Some(true), false) => Some(("Unyank", &*one.vers)),
            _ => None,
        })
        .chain(removed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(before: &[(&str, bool)], after: &[(&str, bool)]) -> String {
        let file = |lines: &[(&str, bool)]| -> String {
            lines.iter().map(|(vers, yanked)| format!("{{\"vers\":\"{vers}\",\"yanked\":{yanked}}}\n")).collect()
        };
        commit_message(&"foo".parse().unwrap(), Some(file(before).as_bytes()), file(after).as_bytes())
    }

    #[test]
    fn a_commit_names_what_happened() {
        assert_eq!(message(&[], &[("1.2.3", false)]), "Publish foo 1.2.3");
        assert_eq!(message(&[("1.2.3", false)], &[("1.2.3", true)]), "Yank foo 1.2.3");
        assert_eq!(message(&[("1.2.3", true)], &[("1.2.3", false)]), "Unyank foo 1.2.3");
        assert_eq!(
            message(&[("1.0.0", false)], &[("1.0.0", true), ("1.1.0", false)]),
            "Update foo: yank 1.0.0, publish 1.1.0"
        );
        assert_eq!(message(&[("1.0.0", false)], &[]), "Remove foo 1.0.0");
        let many: Vec<_> = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0"].map(|v| (v, false)).to_vec();
        assert_eq!(
            message(&[], &many),
            "Update foo: publish 1.0.0, publish 1.1.0, publish 1.2.0, publish 1.3.0, publish 1.4.0, 2 more"
        );
    }
}
