//! The JSON of what changed from one version to another.

use serde::Serialize;
use utoipa::ToSchema;

use crate::package::characters::harmless;
use crate::package::{CrateName, DependencyKind, Version};
use crate::source::Form;
use crate::source::comparison::{
    ChangedDependency, ChangedFeature, Comparison, FieldChange, FileChange, How, ManifestChanges, Stated, Summary,
};

/// The most files that are listed.
const MAX_FILES: usize = 10_000;

/// What changed from one version to another.
#[derive(Serialize, ToSchema)]
#[schema(as = Comparison)]
pub struct ComparisonView {
    /// The crate's name.
    #[serde(rename = "crate")]
    krate: String,
    /// The earlier version; null if the crate is new.
    from: Option<String>,
    /// The later version.
    to: String,
    summary: SummaryView,
    /// The files that changed, in the order of their paths; at most 10,000.
    files: Vec<FileView>,
    /// The number of files that changed.
    changed_files: usize,
    /// The number of files that are the same.
    unchanged_files: usize,
    /// Lines that were added to text files, as far as they were counted.
    lines_added: u64,
    lines_removed: u64,
}

/// What a reviewer asks first.
#[derive(Serialize, ToSchema)]
#[schema(as = ComparisonSummary)]
pub struct SummaryView {
    /// Null if a manifest cannot be read.
    manifest: Option<ManifestView>,
    /// Why the manifests were not compared.
    manifest_error: Option<String>,
    build_script: ScriptView,
    proc_macro: BeforeAfter,
    /// The changed files in which the number of `unsafe` differs: the keyword in code and attributes of Rust, not in
    /// comments, strings and names.
    #[serde(rename = "unsafe")]
    unsafe_counts: Vec<UnsafeView>,
    /// The number of changed source files that are too large to be searched for `unsafe`.
    files_not_searched: usize,
    /// Binary files that were added, or were a text before.
    new_binary_files: Vec<BinaryView>,
    /// Files that became executable.
    new_executable_files: Vec<String>,
}

/// What changed in the manifest.
#[derive(Serialize, ToSchema)]
#[schema(as = ManifestChanges)]
pub struct ManifestView {
    dependencies_added: Vec<StatedView>,
    dependencies_removed: Vec<StatedView>,
    dependencies_changed: Vec<ChangedDependencyView>,
    features: Vec<FeatureView>,
    /// `links`, `rust-version`, `license`, `license-file`, `repository`.
    fields: Vec<FieldView>,
}

/// A dependency that was added or removed, or as it is after a change.
#[derive(Serialize, ToSchema)]
#[schema(as = StatedDependency)]
pub struct StatedView {
    /// The key in the manifest.
    name: String,
    /// The crate, if it has another name than the key.
    package: Option<String>,
    /// `normal`, `build` or `dev`.
    #[schema(example = "normal")]
    kind: &'static str,
    target: Option<String>,
    req: String,
    /// The index of the crate's registry; null: this registry.
    registry: Option<String>,
    optional: bool,
}

/// A dependency of both versions.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedDependency)]
pub struct ChangedDependencyView {
    dependency: StatedView,
    changes: Vec<FieldView>,
}

/// A value that changed. Null: there is none.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedValue)]
pub struct FieldView {
    field: String,
    before: Option<String>,
    after: Option<String>,
}

/// A feature that was added, removed or changed.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedFeature)]
pub struct FeatureView {
    name: String,
    /// What it enabled; null: there was no such feature.
    before: Option<Vec<String>>,
    /// What it enables; null: it was removed.
    after: Option<Vec<String>>,
}

/// The build scripts.
#[derive(Serialize, ToSchema)]
#[schema(as = BuildScriptChange)]
pub struct ScriptView {
    /// The path of the earlier one; null: none.
    before: Option<String>,
    after: Option<String>,
    /// Whether the content differs, if both exist.
    changed: bool,
}

/// Whether something was so, and is so.
#[derive(Serialize, ToSchema)]
pub struct BeforeAfter {
    before: bool,
    after: bool,
}

/// The number of `unsafe` in a file.
#[derive(Serialize, ToSchema)]
#[schema(as = UnsafeCount)]
pub struct UnsafeView {
    path: String,
    before: usize,
    after: usize,
}

/// A new binary file.
#[derive(Serialize, ToSchema)]
#[schema(as = NewBinaryFile)]
pub struct BinaryView {
    path: String,
    /// Its size in bytes.
    size: u64,
}

/// A file that changed.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedFile)]
pub struct FileView {
    path: String,
    /// `added`, `removed`, `changed` or `renamed`.
    #[schema(example = "changed")]
    status: &'static str,
    /// The former path of a renamed file.
    renamed_from: Option<String>,
    /// How much of a renamed file stayed, in hundredths.
    similarity: Option<u8>,
    /// Null for a file that is no text, or was not counted.
    lines_added: Option<u32>,
    lines_removed: Option<u32>,
    /// The former size in bytes; null for an added file.
    size_before: Option<u64>,
    size_after: Option<u64>,
    /// Whether it is binary, or was.
    binary: bool,
}

impl ComparisonView {
    pub fn new(name: &CrateName, (from, to): (Option<&Version>, &Version), comparison: &Comparison) -> Self {
        let (lines_added, lines_removed) = comparison.lines();
        Self {
            krate: name.to_string(),
            from: from.map(ToString::to_string),
            to: to.to_string(),
            summary: SummaryView::new(&comparison.summary),
            files: comparison.files.iter().take(MAX_FILES).map(FileView::new).collect(),
            changed_files: comparison.files.len(),
            unchanged_files: comparison.unchanged,
            lines_added,
            lines_removed,
        }
    }
}

impl SummaryView {
    fn new(summary: &Summary) -> Self {
        Self {
            manifest: summary.manifest.as_ref().ok().map(ManifestView::new),
            manifest_error: summary.manifest.as_ref().err().cloned().map(harmless),
            build_script: ScriptView {
                before: summary.build_script.before.clone().map(harmless),
                after: summary.build_script.after.clone().map(harmless),
                changed: summary.build_script.is_changed,
            },
            proc_macro: BeforeAfter { before: summary.proc_macro.0, after: summary.proc_macro.1 },
            unsafe_counts: summary
                .unsafe_counts
                .iter()
                .map(|one| UnsafeView { path: one.path.clone(), before: one.before, after: one.after })
                .collect(),
            files_not_searched: summary.not_searched,
            new_binary_files: summary
                .new_binaries
                .iter()
                .map(|file| BinaryView { path: file.path.clone(), size: file.size })
                .collect(),
            new_executable_files: summary.new_executables.clone(),
        }
    }
}

impl ManifestView {
    fn new(changes: &ManifestChanges) -> Self {
        Self {
            dependencies_added: changes.added.iter().map(StatedView::new).collect(),
            dependencies_removed: changes.removed.iter().map(StatedView::new).collect(),
            dependencies_changed: changes.changed.iter().map(ChangedDependencyView::new).collect(),
            features: changes.features.iter().map(FeatureView::new).collect(),
            fields: changes.fields.iter().map(FieldView::new).collect(),
        }
    }
}

impl StatedView {
    fn new(one: &Stated) -> Self {
        Self {
            name: one.key.clone(),
            package: one.package.clone(),
            kind: match one.kind {
                DependencyKind::Normal => "normal",
                DependencyKind::Build => "build",
                DependencyKind::Dev => "dev",
            },
            target: one.target.clone().map(harmless),
            req: one.requirement.clone(),
            registry: one.registry.clone().map(harmless),
            optional: one.optional,
        }
    }
}

impl ChangedDependencyView {
    fn new(one: &ChangedDependency) -> Self {
        Self { dependency: StatedView::new(&one.dependency), changes: one.changes.iter().map(FieldView::new).collect() }
    }
}

impl FieldView {
    fn new(one: &FieldChange) -> Self {
        let value = |value: &Option<String>| value.clone().map(harmless);
        Self { field: one.field.clone(), before: value(&one.before), after: value(&one.after) }
    }
}

impl FeatureView {
    fn new(one: &ChangedFeature) -> Self {
        let values =
            |values: &Option<Vec<String>>| values.clone().map(|values| values.into_iter().map(harmless).collect());
        Self { name: harmless(one.name.clone()), before: values(&one.before), after: values(&one.after) }
    }
}

impl FileView {
    fn new(file: &FileChange) -> Self {
        let (renamed_from, similarity) = match &file.how {
            How::Renamed { from, similarity } => (Some(from.clone()), Some(*similarity)),
            How::Added | How::Removed | How::Changed => (None, None),
        };
        let mut sides = file.before.iter().chain(&file.after);
        Self {
            path: file.path.clone(),
            status: match file.how {
                How::Added => "added",
                How::Removed => "removed",
                How::Changed => "changed",
                How::Renamed { .. } => "renamed",
            },
            renamed_from,
            similarity,
            lines_added: file.lines.map(|(added, _)| added),
            lines_removed: file.lines.map(|(_, removed)| removed),
            size_before: file.before.as_ref().map(|side| side.size),
            size_after: file.after.as_ref().map(|side| side.size),
            binary: sides.any(|side| side.form == Form::Binary),
        }
    }
}
