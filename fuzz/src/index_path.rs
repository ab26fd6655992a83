//! Paths of the sparse index, and lines of its files.
//!
//! - `p`: a path in a request.
//! - `l`: lines of a crate's file, from any source.

use serde_json::Value;
use supercargo::index::entry::{render, with_yanked};
use supercargo::index::shown::shown_versions;
use supercargo::package::CrateName;
use supercargo::package::index_path::{crate_path, index_path, requested_path};

use super::check_message;

pub fn run(data: &[u8]) -> bool {
    let Some((form, data)) = data.split_first() else { return false };
    let text = std::str::from_utf8(data);
    match (form, text) {
        (b'p', Ok(text)) => path(text),
        (b'l', Ok(text)) => lines(text),
        // Bytes that are not UTF-8 may be refused.
        (b'l', Err(_)) => shown_versions(data).is_ok(),
        _ => false,
    }
}

fn path(path: &str) -> bool {
    if let Some(name) = crate_path(path) {
        assert_eq!(index_path(&name), path);
        assert!(path.split('/').all(|component| !matches!(component, "" | "." | "..")), "{path}");
    }
    if let Some(found) = requested_path(path) {
        let name = crate_path(&found).unwrap_or_else(|| panic!("{path} means {found}, which is no crate's"));
        assert!(path.to_ascii_lowercase().ends_with(&format!("/{name}")), "{path} means {found}");
    }
    assert!(crate_path(path).is_none() || requested_path(path).as_deref() == Some(path), "{path}");
    if let Ok(name) = path.parse::<CrateName>() {
        let back = crate_path(&index_path(&name)).unwrap_or_else(|| panic!("no crate at the path of {name}"));
        assert_eq!(back.as_str(), name.as_str().to_ascii_lowercase());
    }
    crate_path(path).is_some()
}

fn lines(text: &str) -> bool {
    for line in text.split('\n') {
        for yanked in [true, false] {
            match with_yanked(line, yanked) {
                Ok(edited) => check_edited(line, &edited, yanked),
                Err(error) => check_message(&error.to_string()),
            }
        }
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let rendered = render(lines.iter().map(|line| (*line, true)));
    if let Ok(file) = &rendered {
        assert_eq!(file.matches('\n').count(), lines.len());
        assert!(file.ends_with('\n') && !file.contains("\n\n"));
        // Versions that could be read before can be read afterwards, and all of them are yanked.
        if let Ok(before) = shown_versions(text.as_bytes()) {
            let after = shown_versions(file.as_bytes()).unwrap_or_else(|error| panic!("{error}: {file}"));
            assert!(after.iter().all(|version| version.yanked), "{file}");
            assert!(before.iter().map(|one| &one.vers).eq(after.iter().map(|one| &one.vers)), "{file}");
        }
    }
    rendered.is_ok()
}

/// Checks that an edited line has the new value of `yanked` and no other change.
fn check_edited(line: &str, edited: &str, yanked: bool) {
    assert!(!edited.contains(['\n', '\r']), "{edited:?}");
    assert_eq!(with_yanked(edited, yanked).ok().as_deref(), Some(edited));
    if yanked {
        let there_and_back = with_yanked(edited, false).and_then(|other| with_yanked(&other, true));
        assert_eq!(there_and_back.ok().as_deref(), Some(edited), "{line}");
    }
    let (Ok(before), Ok(after)) = (serde_json::from_str::<Value>(line), serde_json::from_str::<Value>(edited)) else {
        // The line may have numbers above 1e308, which serde_json::Value cannot hold.
        return;
    };
    let without = |mut value: Value| {
        value.as_object_mut().map(|fields| fields.shift_remove("yanked"));
        value
    };
    assert_eq!(after["yanked"].as_bool().unwrap_or(false), yanked, "{edited}");
    assert_eq!(without(before), without(after), "{line}");
}
