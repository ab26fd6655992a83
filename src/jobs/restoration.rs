//! Restoring versions from their index lines and crate files: lost ones of this registry, and those of another registry.
//!
//! What is neither in the line nor in the file is lost: the publisher, unless the audit log has it; the metadata beside the
//! tarball, except for what the manifest repeats; the downloads.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::sync_crate;
use crate::crate_store::{CrateStore, CrateStoreError};
use crate::database::access::audit::{self, Action, Actor, Event};
use crate::database::catalog::crate_deletion::{self, Deletion};
use crate::database::catalog::crates::{Crate, Origin};
use crate::database::catalog::new_version::RestoredVersion;
use crate::database::catalog::owners::Owner;
use crate::database::catalog::{crate_files, crates, new_dependencies, versions};
use crate::database::staging::staged;
use crate::index::entry::line::IndexLine;
use crate::index::entry::rebuild::{RebuildError, Rebuilt};
use crate::index::entry::registries::Registries;
use crate::package::characters::check_line;
use crate::package::contents::{self, Contents, Opened};
use crate::package::index_path::index_path;
use crate::package::policy::{self, labels};
use crate::package::{Checksum, CrateName, Limits, Version};
use crate::queue::{EnqueueError, JobId};

/// Why a version cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error("its crate file has the checksum {found}, but its line names {expected}")]
    Checksum { found: Checksum, expected: Checksum },
    #[error("the crate is called {original} here, and {given} is another spelling of the same name")]
    OtherSpelling { given: CrateName, original: CrateName },
    #[error(
        "the crate {name} was deleted from this registry on {date} ({reason}): to import it again, release its name first, \
         with `supercargo admin crate release {name}`", date = .at.format("%Y-%m-%d")
    )]
    Deleted { name: CrateName, at: DateTime<Utc>, reason: String },
    #[error("its crate file {0} was removed from the store before its rows were written: start again")]
    FileRemoved(Checksum),
    #[error(transparent)]
    CrateStore(#[from] CrateStoreError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// The refusal of a publish for a text with a character that a terminal would interpret or not show.
fn hidden_character(value: &Value) -> Option<String> {
    let found =
        |text: &str| check_line(text).err().map(|character| format!("its line of the index contains {character}"));
    match value {
        Value::String(text) => found(text),
        Value::Array(items) => items.iter().find_map(hidden_character),
        Value::Object(fields) => fields.iter().find_map(|(key, item)| found(key).or_else(|| hidden_character(item))),
        _ => None,
    }
}

/// A version that can be restored.
#[derive(Clone, Debug)]
pub struct Restorable {
    pub rebuilt: Rebuilt,
    /// Why a publish of this version would be refused by the rules for all packages.
    pub refusal: Option<String>,
    /// Whether cargo cannot unpack its crate file, for that reason.
    pub is_unusable: bool,
    size: usize,
    contents: Contents,
}

/// The result for a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Restored,
    /// According to the audit log the version was deleted: its number is taken again, and its line is removed.
    RestoredAsDeleted,
    /// The registry has it, with the same checksum.
    Existed,
    /// The registry has it with another checksum, or with other build metadata.
    Contradicts(String),
}

/// The result for the versions of a crate.
#[derive(Clone, Debug)]
pub struct Restored {
    pub created_crate: bool,
    /// The owners of a crate that was created. Without owners, nobody but admins can publish further versions.
    pub owners: Vec<String>,
    /// In the given order.
    pub versions: Vec<(Version, Fate)>,
    /// The job that writes them to the index.
    pub job: Option<JobId>,
}

/// Writes these versions of a crate, and the crate if there is none, in one transaction with the job that writes them to the
/// index. A crate that is created belongs to the owners in the audit log, or else to `owners`. The crate files must be in
/// `store` already.
pub fn restore(
    connection: &mut PgConnection,
    store: &CrateStore,
    name: &CrateName,
    versions: &[Restorable],
    owners: &[Owner],
    (action, actor): (Action, &Actor),
) -> Result<Restored, RestoreError> {
    connection.transaction(|connection| {
        let (mut krate, origin) = crates::ensure_and_lock(connection, name)?;
        if krate.name != *name {
            return Err(RestoreError::OtherSpelling { given: name.clone(), original: krate.name });
        }
        if origin == Origin::Created && action == Action::Repair {
            krate.deletion = deletion_again(connection, &krate)?;
        }
        if let (Some(at), Action::Import) = (krate.deletion.deleted_at, action) {
            let reason = krate.deletion.deletion_reason.unwrap_or_default();
            return Err(RestoreError::Deleted { name: krate.name, at, reason });
        }
        let created_crate = origin.is_new();
        let mut restored = Restored { created_crate, owners: Vec::new(), versions: Vec::new(), job: None };
        if created_crate {
            if !krate.deletion.is_deleted() {
                restored.owners = give_owners(connection, &krate, owners)?;
            }
            if let Some(first) = versions.iter().filter_map(|version| version.rebuilt.entry.pubtime).min() {
                crates::set_created_at(connection, krate.id, first)?;
            }
        }
        for version in versions {
            let fate = restore_version(connection, &krate, version, (action, actor))?;
            if fate == Fate::Restored {
                // From here on the file is not removed: see `unused_files`.
                let checksum = version.rebuilt.entry.cksum;
                crate_files::hold(connection, checksum)?;
                store.size(checksum)?.ok_or(RestoreError::FileRemoved(checksum))?;
            }
            restored.versions.push((version.rebuilt.entry.vers.clone(), fate));
        }
        if restored.versions.iter().any(|(_, fate)| matches!(fate, Fate::Restored | Fate::RestoredAsDeleted)) {
            restored.job = Some(sync_crate::request(connection, &index_path(&krate.name), &actor.name)?);
        }
        Ok(restored)
    })
}

/// Marks a crate whose row was lost as deleted again, if the audit log has its deletion.
fn deletion_again(connection: &mut PgConnection, krate: &Crate) -> QueryResult<Deletion> {
    let Some(logged) = audit::crate_deletion(connection, &krate.name)? else { return Ok(Deletion::default()) };
    let deletion = Deletion {
        deleted_at: Some(logged.at),
        deletion_reason: Some(logged.reason),
        name_released: logged.name_released,
    };
    crate_deletion::mark(connection, krate.id, &deletion)?;
    Ok(deletion)
}

fn give_owners(connection: &mut PgConnection, krate: &Crate, owners: &[Owner]) -> QueryResult<Vec<String>> {
    let mut given: Vec<Owner> = Vec::new();
    for login in audit::logged_owners(connection, &krate.name)? {
        given.extend(Owner::find(connection, &login)?.filter(|owner| !owner.was_removed()));
    }
    if given.is_empty() {
        given.extend_from_slice(owners);
    }
    for owner in &given {
        owner.add_to(connection, krate.id)?;
    }
    Ok(given.iter().map(Owner::login).collect())
}

fn restore_version(
    connection: &mut PgConnection,
    krate: &Crate,
    version: &Restorable,
    (action, actor): (Action, &Actor),
) -> Result<Fate, RestoreError> {
    let entry = &version.rebuilt.entry;
    if let Some(existing) = versions::find(connection, krate.id, &entry.vers)? {
        return Ok(if existing.num != entry.vers {
            Fate::Contradicts(format!(
                "the registry has it as {}: versions that differ only in build metadata are the same version",
                existing.num
            ))
        } else if existing.checksum != entry.cksum {
            Fate::Contradicts(format!(
                "the registry has it with the checksum {}, not {}",
                existing.checksum, entry.cksum
            ))
        } else {
            Fate::Existed
        });
    }
    if action == Action::Import
        && let Some(set) = staged::set_of_number(connection, (&krate.name, &entry.vers))?
    {
        return Ok(Fate::Contradicts(format!(
            "its number is taken by the release set {set}, in which it is staged: approve or reject that set, and import again"
        )));
    }
    let deletion_reason = match &krate.deletion.deletion_reason {
        Some(reason) => Some(reason.clone()),
        None => audit::deletion_reason(connection, &krate.name, &entry.vers)?,
    };
    let yank_message = match entry.yanked {
        true => audit::yank_message(connection, &krate.name, &entry.vers)?,
        false => None,
    };
    let row = RestoredVersion {
        crate_id: krate.id,
        num: &entry.vers,
        checksum: entry.cksum,
        size: i64::try_from(version.size).unwrap_or(i64::MAX),
        index_line: &version.rebuilt.line(),
        desired_yanked: entry.yanked,
        yank_message: yank_message.as_deref(),
        metadata: &version.metadata(),
        manifest: &version.about(),
        created_by: audit::publisher(connection, &krate.name, &entry.vers)?,
        published_at: entry.pubtime.filter(|at| *at <= Utc::now()),
        deletion_reason: deletion_reason.as_deref(),
        crates_io_here: version.rebuilt.crates_io_here,
    };
    // No other transaction adds versions while the crate's row is locked.
    let id = row.insert(connection)?.ok_or(diesel::NotFound)?;
    new_dependencies::insert(connection, id, version.rebuilt.dependencies())?;
    Event::new(action)
        .of_crate(&krate.name)
        .of_version(&entry.vers)
        .detail(json!({ "what": "version restored", "checksum": entry.cksum, "yanked": entry.yanked }))
        .record(connection, actor)?;
    Ok(if deletion_reason.is_some() { Fate::RestoredAsDeleted } else { Fate::Restored })
}

impl Restorable {
    /// A version from its line and its crate file.
    pub fn new(
        line: &IndexLine,
        crate_file: &[u8],
        limits: &Limits,
        registries: &Registries,
    ) -> Result<Self, RestoreError> {
        let (found, expected) = (Checksum::of(crate_file), line.checksum);
        if found != expected {
            return Err(RestoreError::Checksum { found, expected });
        }
        let package = (&line.name, &line.version);
        let Opened { manifest, refusal, is_unusable } = contents::open(crate_file, package, limits);
        let text = manifest.as_deref().map_err(ToString::to_string);
        let rebuilt = Rebuilt::of(line, text.clone(), registries)?;
        let contents =
            text.and_then(|text| Contents::read(text, crate_file, package, limits).map_err(|error| error.to_string()));
        let (contents, problem) = match contents {
            Ok(contents) => (contents, None),
            Err(problem) => (Contents::default(), Some(problem)),
        };
        let refusal = problem
            .or(refusal)
            .or_else(|| policy::check_keywords(&contents.keywords).err().map(|refused| refused.to_string()))
            .or_else(|| limits.check_index_line(&rebuilt.line()).err().map(|error| error.to_string()))
            .or_else(|| hidden_character(&json!(rebuilt.entry)));
        Ok(Self { size: crate_file.len(), contents, refusal, is_unusable, rebuilt })
    }

    /// Removes the categories that a publish may not have, and returns them.
    ///
    /// Not for repairs: what this registry accepted once stays as it was sent, and invalid categories are not shown.
    pub fn leave_out_categories(&mut self) -> Vec<String> {
        let categories = std::mem::take(&mut self.contents.categories);
        let (mut kept, mut left_out): (Vec<_>, Vec<_>) =
            categories.into_iter().partition(|category| labels::is_category(category));
        left_out.extend(kept.split_off(kept.len().min(labels::MAX_LABELS)));
        self.contents.categories = kept;
        left_out
    }

    fn features(&self) -> Value {
        let entry = &self.rebuilt.entry;
        let mut features = entry.features.clone();
        features.extend(entry.features2.clone().unwrap_or_default());
        json!(features)
    }

    /// The column that [`About`](crate::database::about::About) reads.
    fn about(&self) -> Value {
        let mut about = json!(self.contents);
        about["features"] = self.features();
        if let Some(fields) = about.as_object_mut() {
            fields.remove("readme");
            fields.remove("readme_file");
        }
        about
    }

    /// The metadata that cargo would have sent, as far as it is known.
    fn metadata(&self) -> Value {
        let entry = &self.rebuilt.entry;
        let mut metadata = json!(self.contents);
        metadata["name"] = json!(entry.name);
        metadata["vers"] = json!(entry.vers);
        metadata["features"] = self.features();
        metadata["deps"] = entry
            .deps
            .iter()
            .map(|one| {
                json!({
                    "name": one.package.as_ref().unwrap_or(&one.name), "version_req": one.req, "features": one.features,
                    "optional": one.optional, "default_features": one.default_features, "target": one.target,
                    "kind": one.kind.unwrap_or_default(), "registry": one.registry,
                    "explicit_name_in_toml": one.package.as_ref().map(|_| &one.name),
                })
            })
            .collect();
        metadata
    }
}
