//! What a reviewer asks first of a new version.

use super::files::{FileChange, is_text, text_of};
use super::manifests::ManifestChanges;
use crate::highlight;
use crate::package::RegistryUrls;
use crate::source::error::SourceError;
use crate::source::form::Form;
use crate::source::listing::FileFacts;
use crate::source::package::SourcePackage;

/// The longest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 1024 * 1024;

/// What a reviewer asks first of a new version.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What changed in the manifest; the error says why it cannot be compared.
    pub manifest: Result<ManifestChanges, String>,
    /// The build script.
    pub build_script: Script,
    /// Whether the package was and is a procedural macro.
    pub proc_macro: (bool, bool),
    /// The changed files in which the number of `unsafe` differs.
    pub unsafe_counts: Vec<UnsafeCount>,
    /// The changed source files in which `unsafe` was not counted, because they are too large together.
    pub not_searched: usize,
    /// Binary files that were added, or that were a text before.
    pub new_binaries: Vec<NewBinary>,
    /// Files that became executable, or were added as such.
    pub new_executables: Vec<String>,
}

/// The build script of both packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Its path in the first package.
    pub before: Option<String>,
    /// Its path in the second package.
    pub after: Option<String>,
    /// Whether its content differs.
    pub is_changed: bool,
}

/// How often a file has the keyword `unsafe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsafeCount {
    pub path: String,
    pub before: usize,
    pub after: usize,
}

/// A new binary file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBinary {
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Summary {
    pub(super) fn weight(&self) -> u64 {
        let manifest = self.manifest.as_ref().map_or(0, |changes| {
            (changes.added.len() + changes.removed.len() + changes.changed.len() + changes.features.len()) * 400
        });
        (manifest + 100 * (self.unsafe_counts.len() + self.new_binaries.len() + self.new_executables.len())) as u64
    }
}

/// The summary of a comparison whose files are known.
pub(super) fn of(
    files: &[FileChange],
    (before, after): (&SourcePackage, &SourcePackage),
    urls: &RegistryUrls,
    searched: u64,
) -> Result<Summary, SourceError> {
    let manifest = |package| text_of(package, "Cargo.toml", MAX_MANIFEST);
    let (old, new) = (manifest(before)?, manifest(after)?);
    let (unsafe_counts, not_searched) = unsafe_counts(files, (before, after), searched)?;
    let table = |text: &Option<String>| text.as_deref().and_then(|text| toml::from_str(text).ok()).unwrap_or_default();
    let (old_table, new_table): (toml::Table, toml::Table) = (table(&old), table(&new));
    let added = |is: fn(&FileFacts) -> bool| {
        let is_new =
            move |file: &&FileChange| file.after.as_ref().is_some_and(is) && !file.before.as_ref().is_some_and(is);
        files.iter().filter(is_new)
    };
    Ok(Summary {
        manifest: match (old, new) {
            (Some(old), Some(new)) => ManifestChanges::new(Some(&old), &new, urls),
            (None, Some(new)) if before.listing().is_empty() => ManifestChanges::new(None, &new, urls),
            _ => Err("one of the versions has no Cargo.toml that can be read".to_owned()),
        },
        build_script: build_script((&old_table, before), (&new_table, after)),
        proc_macro: (is_proc_macro(&old_table), is_proc_macro(&new_table)),
        unsafe_counts,
        not_searched,
        new_binaries: added(|file| file.form == Form::Binary)
            .map(|file| NewBinary { path: file.path.clone(), size: file.after.as_ref().map_or(0, |file| file.size) })
            .collect(),
        new_executables: added(|file| file.is_executable).map(|file| file.path.clone()).collect(),
    })
}

fn unsafe_counts(
    files: &[FileChange],
    (before, after): (&SourcePackage, &SourcePackage),
    mut bytes: u64,
) -> Result<(Vec<UnsafeCount>, usize), SourceError> {
    let (mut counts, mut not_searched) = (Vec::new(), 0);
    let is_source = |path: &str| path.ends_with(".rs");
    for file in files {
        let sides = [(&file.before, before, file.path_before()), (&file.after, after, &file.path)];
        let mut numbers = [0, 0];
        for ((side, package, path), number) in sides.into_iter().zip(&mut numbers) {
            let Some(side) = side.as_ref().filter(|side| is_source(path) && is_text(side)) else { continue };
            if side.size > bytes {
                not_searched += 1;
                numbers = [0, 0];
                break;
            }
            bytes -= side.size;
            *number = highlight::unsafe_count(&package.read_text(side)?);
        }
        let [before, after] = numbers;
        if before != after {
            counts.push(UnsafeCount { path: file.path.clone(), before, after });
        }
    }
    Ok((counts, not_searched))
}

/// The build script: the one that the manifest names, or `build.rs`, unless the manifest says that there is none.
fn build_script(
    (old_table, before): (&toml::Table, &SourcePackage),
    (new_table, after): (&toml::Table, &SourcePackage),
) -> Script {
    let path = |table: &toml::Table, package: &SourcePackage| {
        let named = table.get("package").and_then(|package| package.get("build"));
        let path = match named {
            Some(toml::Value::Boolean(false)) => None,
            Some(toml::Value::String(path)) => Some(path.trim_start_matches("./").to_owned()),
            _ => Some("build.rs".to_owned()),
        };
        path.filter(|path| named.is_some_and(toml::Value::is_str) || package.listing().find(path).is_some())
    };
    let (old, new) = (path(old_table, before), path(new_table, after));
    let content = |package: &SourcePackage, path: &Option<String>| {
        path.as_deref().and_then(|path| package.listing().find(path)).map(|file| file.sha256)
    };
    let is_changed = old.is_some() && new.is_some() && content(before, &old) != content(after, &new);
    Script { before: old, after: new, is_changed }
}

fn is_proc_macro(manifest: &toml::Table) -> bool {
    let Some(lib) = manifest.get("lib") else { return false };
    let flag = |key: &str| lib.get(key).and_then(toml::Value::as_bool).unwrap_or(false);
    let kinds = lib.get("crate-type").or_else(|| lib.get("crate_type")).and_then(toml::Value::as_array);
    flag("proc-macro")
        || flag("proc_macro")
        || kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("proc-macro")))
}
