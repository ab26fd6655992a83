//! `supercargo backup`.

use std::process::ExitCode;

use crate::admin::output::{complain, print_json, say};
use crate::backup::{self, Agreed, Directory, Made, Source, TrialRestore, UpstreamCache, UpstreamFiles};
use crate::config::BackupOptions;
use crate::process::storage::StoreRole;
use crate::process::trial::Trial;
use crate::process::{CommandError, Storage};

/// Exit code of a backup that lacks crate files, and of a restore after which some crates differ.
pub(super) const INCOMPLETE: u8 = 3;

pub(super) fn backup(options: &BackupOptions) -> Result<ExitCode, CommandError> {
    let directory = Directory::new(&std::path::absolute(&options.directory)?);
    if options.check {
        return check(options, &directory);
    }
    let storage = Storage::attach_or_start(&options.storage)?;
    let made = make(options, &storage, &directory);
    storage.close()?;
    let made = made?;
    if options.output.json {
        print_json(&made)?;
    } else {
        say!("{}", describe(&made, &directory));
    }
    for problem in &made.manifest.problems {
        complain!("the backup lacks the crate file of {}: {}", problem.version, problem.problem);
    }
    Ok(if made.manifest.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

fn make(options: &BackupOptions, storage: &Storage, directory: &Directory) -> Result<Made, CommandError> {
    let repository = storage.data_dir.index();
    if !repository.is_dir() {
        return Err(CommandError::new(format!(
            "there is no index at {}: set --data-dir to the registry's data directory",
            repository.display()
        )));
    }
    let index = storage.index(&options.storage)?;
    let crate_store = storage.crate_store(&options.crate_store, StoreRole::Reads)?;
    let upstream_store = options.with_upstream_cache.then(|| {
        let store = storage.upstream_store(&options.crate_store, StoreRole::Reads)?;
        Ok::<_, CommandError>((store, storage.data_dir.upstream_index()))
    });
    let upstream_store = upstream_store.transpose()?;
    let (mut connection, database_url) = storage.connect_to_one()?;
    let source = Source {
        database_url: &database_url,
        postgres_bin_dir: options.storage.postgres_bin_dir.as_deref(),
        index: &index,
        crate_store: &crate_store,
        upstream_cache: upstream_store
            .as_ref()
            .map(|(crate_files, index_files)| UpstreamCache { crate_files, index_files }),
    };
    let keep = options.keep.map(std::num::NonZeroUsize::get);
    Ok(backup::make(&source, &mut connection, directory, keep)?)
}

fn describe(made: &Made, directory: &Directory) -> String {
    let Made { manifest, new_files, new_file_bytes, removed, removed_files, seconds, .. } = made;
    let mut text = format!(
        "made {}: {} crates, {} versions, {} crate files ({new_files} of {new_file_bytes} bytes new here), in {seconds:.1} s",
        directory.path().join(&manifest.name).display(),
        manifest.crates,
        manifest.versions,
        manifest.files,
    );
    if let Some(of_upstreams) = manifest.upstream_cache {
        let UpstreamFiles { files, bytes } = of_upstreams;
        text.push_str(&format!("\nwith {files} files of upstreams ({bytes} bytes)"));
    }
    if !removed.is_empty() {
        text.push_str(&format!("\nremoved {} and {removed_files} crate files", removed.join(", ")));
    }
    text
}

fn check(options: &BackupOptions, directory: &Directory) -> Result<ExitCode, CommandError> {
    let trial = if options.checksums_only { None } else { Some(Trial::prepare()?) };
    let checked = backup::check(directory, options.at.as_deref())?;
    let trial_restore = trial.map(|trial| trial.restore(&options.storage, directory, &checked)).transpose()?;
    let manifest = &checked.manifest;
    if options.output.json {
        let mut document = serde_json::to_value(&checked)?;
        document["trial_restore"] = serde_json::to_value(&trial_restore)?;
        print_json(&document)?;
    } else {
        let restored = trial_restore.as_ref().map_or_else(String::new, |TrialRestore { seconds, .. }| {
            format!("; restored into a temporary registry in {seconds:.1} s")
        });
        say!(
            "the backup {} is intact: {} crates, {} versions, {} crate files{restored}",
            manifest.name,
            manifest.crates,
            manifest.versions,
            manifest.files
        );
    }
    for problem in &manifest.problems {
        complain!("the backup was made without the crate file of {}: {}", problem.version, problem.problem);
    }
    let agreed = trial_restore.map(|restored| restored.agreed).unwrap_or_default();
    list_disagreements(&agreed);
    let is_complete = manifest.problems.is_empty() && agreed.not_in_agreement.is_empty();
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// Prints the crates that differ from the index.
pub(super) fn list_disagreements(agreed: &Agreed) {
    for one in &agreed.not_in_agreement {
        complain!("the crate {} differs from the index: {}", one.crate_name, one.problem);
    }
}
