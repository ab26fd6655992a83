//! Differences between file systems: paths that are equal on some of them, and paths that Windows cannot store.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizer;

/// Device names of Windows, with any extension. Source: "Naming Files, Paths, and Namespaces" of Microsoft.
const DEVICES: [&str; 6] = ["aux", "con", "conin$", "conout$", "nul", "prn"];
/// Device names of Windows that are followed by a digit, which may be superscript.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// The key of a path, which is equal for paths that are the same on some file system: those that fold case (Windows, macOS),
/// those that treat two forms of accents alike (macOS), and those that drop trailing dots and spaces of components (Windows).
/// Source: canonical caseless matching of the Unicode Standard, 3.13.
pub fn key(path: &str) -> String {
    let mut key = String::with_capacity(path.len());
    for (place, component) in path.split('/').enumerate() {
        if place > 0 {
            key.push('/');
        }
        let kept = component.trim_end_matches(['.', ' ']);
        key.push_str(&folded(if kept.is_empty() { component } else { kept }));
    }
    key
}

fn folded(component: &str) -> Cow<'_, str> {
    if component.is_ascii() {
        return Cow::Owned(component.to_ascii_lowercase());
    }
    let normalizer = DecomposingNormalizer::new_nfd();
    let decomposed = normalizer.normalize(component);
    let folded = CaseMapper::new().fold_string(&decomposed);
    Cow::Owned(normalizer.normalize(&folded).into_owned())
}

/// The problem of a path on Windows, if it has one.
pub fn problem(path: &str) -> Option<&'static str> {
    path.split('/').find_map(|component| {
        if is_device(component) {
            Some("has a component that Windows takes for a device")
        } else if component.ends_with(['.', ' ']) {
            Some("has a component that ends with a dot or a space, which Windows drops")
        } else if is_short_name(component) {
            Some("has a component that Windows may take for the short name of another file")
        } else {
            None
        }
    })
}

fn is_device(component: &str) -> bool {
    let name = component.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_lowercase();
    let numbered = || {
        let number = NUMBERED_DEVICES.iter().find_map(|device| name.strip_prefix(device))?;
        Some(matches!(number, "¹" | "²" | "³") || (number.len() == 1 && number.as_bytes()[0].is_ascii_digit()))
    };
    DEVICES.contains(&&*name) || numbered().unwrap_or(false)
}

/// Whether a component looks like `CARGO~1.TOM`: at most eight characters that end in a tilde and a number, and an extension
/// of at most three.
fn is_short_name(component: &str) -> bool {
    let (name, extension) = component.split_once('.').unwrap_or((component, ""));
    let number = name.rsplit_once('~').filter(|(stem, _)| !stem.is_empty()).map_or("", |(_, number)| number);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && name.len() <= 8 && extension.len() <= 3 && !extension.contains('.')
}

#[cfg(test)]
mod tests {
    use super::{key, problem};

    #[test]
    fn paths_that_some_file_system_takes_for_one_have_one_key() {
        for (one, other) in [
            ("src/LIB.rs", "src/lib.RS"),
            ("\u{e9}", "e\u{301}"),
            ("\u{c9}", "e\u{301}"),
            ("straße", "STRASSE"),
            ("ΑΣ", "ας"),
            ("\u{212a}", "k"),
            ("\u{1e9b}\u{323}", "\u{17f}\u{323}\u{307}"),
            ("src./lib.rs", "src/lib.rs "),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        for (one, other) in [("e", "é"), ("a/b", "ab"), ("...", ".."), ("ﬁ/ı", "ﬁ/i"), ("\u{ff21}", "A")] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn what_windows_cannot_hold_is_known() {
        for path in ["src/aux.rs", "NUL", "com1.txt/x", "lpt².c", "Con .tar.gz", "conin$", "com0", "prn."] {
            assert!(problem(path).unwrap().contains("device"), "{path}");
        }
        for path in ["a./b", "a /b", "b."] {
            assert!(problem(path).unwrap().contains("drops"), "{path}");
        }
        for path in ["CARGO~1.TOM", "src/git~12"] {
            assert!(problem(path).unwrap().contains("short name"), "{path}");
        }
        for path in ["src/auxiliary.rs", "com", "com10", "console", ".nul", "lib.aux", "main.rs~", "a.~1~", "x~1.toml"]
        {
            assert_eq!(problem(path), None, "{path}");
        }
    }
}
