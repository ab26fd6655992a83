//! `supercargo backup` and `supercargo restore`.

use std::process::ExitCode;

use crate::admin::output::{complain, print_json, say};
use crate::backup::{self, Agreed, Directory, Made, Rehearsed, Restored, Source, Target};
use crate::config::{BackupOptions, RestoreOptions};
use crate::process::data_dir::{self, permissions};
use crate::process::rehearsal::Rehearsal;
use crate::process::storage::StoreRole;
use crate::process::{CommandError, Storage};

/// A backup was made, and lacks crate files that the registry has lost; or a registry was restored but for some crates.
const INCOMPLETE: u8 = 3;

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
        say!("{}", told(&made, &directory));
    }
    for problem in &made.manifest.problems {
        complain!("the crate file of {} is not in the backup: {}", problem.version, problem.problem);
    }
    Ok(if made.manifest.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

fn make(options: &BackupOptions, storage: &Storage, directory: &Directory) -> Result<Made, CommandError> {
    let repository = storage.data_dir.index();
    if !repository.is_dir() {
        return Err(CommandError::new(format!(
            "there is no index at {}: name the registry's own directory with --data-dir",
            repository.display()
        )));
    }
    let index = storage.index(&options.storage)?;
    let crate_store = storage.crate_store(&options.crate_store, StoreRole::Reads)?;
    let source = Source {
        database_url: &storage.database_url,
        postgres_bin_dir: options.storage.postgres_bin_dir.as_deref(),
        index: &index,
        crate_store: &crate_store,
    };
    let keep = options.keep.map(std::num::NonZeroUsize::get);
    Ok(backup::make(&source, &mut storage.connect()?, directory, keep)?)
}

fn told(made: &Made, directory: &Directory) -> String {
    let Made { manifest, new_files, new_file_bytes, removed, removed_files, seconds, .. } = made;
    let mut text = format!(
        "made {}: {} crates, {} versions, {} crate files ({new_files} of {new_file_bytes} bytes new here), in {seconds:.1} s",
        directory.path().join(&manifest.name).display(),
        manifest.crates,
        manifest.versions,
        manifest.files,
    );
    if !removed.is_empty() {
        text.push_str(&format!("\nremoved {} and {removed_files} crate files", removed.join(", ")));
    }
    text
}

fn check(options: &BackupOptions, directory: &Directory) -> Result<ExitCode, CommandError> {
    let rehearsal = if options.checksums_only { None } else { Some(Rehearsal::prepare()?) };
    let checked = backup::check(directory, options.at.as_deref())?;
    let rehearsed = rehearsal.map(|rehearsal| rehearsal.hold(&options.storage, directory, &checked)).transpose()?;
    let manifest = &checked.manifest;
    if options.output.json {
        let mut told = serde_json::to_value(&checked)?;
        told["rehearsal"] = serde_json::to_value(&rehearsed)?;
        print_json(&told)?;
    } else {
        let restored = rehearsed.as_ref().map_or_else(String::new, |Rehearsed { seconds, .. }| {
            format!("; it was restored into a throw-away registry in {seconds:.1} s")
        });
        say!(
            "the backup {} is as it was written: {} crates, {} versions, {} crate files{restored}",
            manifest.name,
            manifest.crates,
            manifest.versions,
            manifest.files
        );
    }
    for problem in &manifest.problems {
        complain!("the crate file of {} was not in it from the start: {}", problem.version, problem.problem);
    }
    let agreed = rehearsed.map(|rehearsed| rehearsed.agreed).unwrap_or_default();
    list_disagreements(&agreed);
    let is_complete = manifest.problems.is_empty() && agreed.not_in_agreement.is_empty();
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// Names the crates that do not agree.
fn list_disagreements(agreed: &Agreed) {
    for one in &agreed.not_in_agreement {
        complain!("the crate {} does not agree with the index: {}", one.crate_name, one.problem);
    }
}

/// The same after a restore, with what to do about it.
fn after_restore(agreed: &Agreed) -> ExitCode {
    list_disagreements(agreed);
    match agreed.not_in_agreement.len() {
        0 => ExitCode::SUCCESS,
        count => {
            complain!(
                "everything is restored, but {count} crates do not agree with the index: start the registry, and \
                 run `supercargo verify --repair`"
            );
            ExitCode::from(INCOMPLETE)
        }
    }
}

pub(super) fn restore(options: &RestoreOptions) -> Result<ExitCode, CommandError> {
    permissions::refuse_root_in_a_directory_of_others(&options.storage)?;
    let directory = Directory::new(&std::path::absolute(&options.directory)?);
    // Before anything is made.
    let checked = backup::check(&directory, options.at.as_deref())?;
    if options.index_only {
        return restore_index(options, &directory, &checked);
    }
    let storage = Storage::open_empty(&options.storage)?;
    let restored = restore_into(options, &storage, &directory, &checked);
    let finished = restored.and_then(|restored| storage.finish_restore().map(|()| restored));
    let data_dir = storage.data_dir.clone();
    storage.close()?;
    if finished.is_err() {
        // It was empty, and is so again.
        data_dir::clear(&data_dir)?;
    }
    let restored = finished?;
    if options.output.json {
        print_json(&restored)?;
        return Ok(after_restore(&restored.agreed));
    }
    let Restored { manifest, agreed: agreed @ Agreed { rendered, taken_out, .. }, seconds } = &restored;
    say!(
        "restored {}: {} crates, {} versions, {} crate files, in {seconds:.1} s",
        manifest.name,
        manifest.crates,
        manifest.versions,
        manifest.files
    );
    if *rendered > 0 || *taken_out > 0 {
        say!(
            "the index was ahead of the database: {rendered} crates were made to agree, and {taken_out} taken out; what was \
             published while the backup was made has to be published again"
        );
    }
    Ok(after_restore(agreed))
}

fn restore_index(
    options: &RestoreOptions,
    directory: &Directory,
    checked: &backup::Checked,
) -> Result<ExitCode, CommandError> {
    let storage = Storage::open(&options.storage, false)?;
    let restored = storage.connect().and_then(|mut connection| {
        let index = storage.index(&options.storage)?;
        Ok(backup::restore_index_only(directory, checked, &index, &mut connection)?)
    });
    storage.close()?;
    let restored = restored?;
    if options.output.json {
        print_json(&restored)?;
        return Ok(after_restore(&restored.agreed));
    }
    let Restored { manifest, agreed: agreed @ Agreed { rendered, taken_out, .. }, seconds } = &restored;
    say!(
        "restored the index of {}, in {seconds:.1} s; {rendered} crates were made to agree with the database, and \
         {taken_out} taken out",
        manifest.name
    );
    Ok(after_restore(agreed))
}

fn restore_into(
    options: &RestoreOptions,
    storage: &Storage,
    directory: &Directory,
    checked: &backup::Checked,
) -> Result<Restored, CommandError> {
    let index = storage.index(&options.storage)?;
    let crate_store = storage.crate_store(&options.crate_store, StoreRole::Stores)?;
    let target = Target {
        database_url: &storage.database_url,
        postgres_bin_dir: options.storage.postgres_bin_dir.as_deref(),
        index: &index,
        crate_store: &crate_store,
    };
    Ok(backup::restore(directory, checked, &target, &mut storage.connect()?)?)
}
