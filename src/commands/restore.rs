//! `supercargo restore`.

use std::process::ExitCode;

use super::backup::{INCOMPLETE, list_disagreements};
use crate::admin::output::{complain, print_json, say};
use crate::backup::{self, Agreed, Directory, Restored, Target, UpstreamCache};
use crate::config::RestoreOptions;
use crate::process::data_dir::{self, permissions};
use crate::process::storage::StoreRole;
use crate::process::{CommandError, Storage};

/// Prints the crates that differ after a restore, and the remedy.
fn after_restore(agreed: &Agreed) -> ExitCode {
    list_disagreements(agreed);
    match agreed.not_in_agreement.len() {
        0 => ExitCode::SUCCESS,
        count => {
            complain!(
                "restored, but {count} crates differ from the index: start the registry and run `supercargo verify --repair`"
            );
            ExitCode::from(INCOMPLETE)
        }
    }
}

pub(super) fn restore(options: &RestoreOptions) -> Result<ExitCode, CommandError> {
    run(options).map_err(|error| data_dir::name_full_disk(&options.storage, error))
}

fn run(options: &RestoreOptions) -> Result<ExitCode, CommandError> {
    permissions::refuse_root_in_a_directory_of_others(&options.storage)?;
    let directory = Directory::new(&std::path::absolute(&options.directory)?);
    // Before anything is written.
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
        // The directory was empty before.
        data_dir::clear(&data_dir)?;
    }
    let restored = finished?;
    if options.output.json {
        print_json(&restored)?;
        return Ok(after_restore(&restored.agreed));
    }
    let Restored { manifest, agreed: agreed @ Agreed { rendered, taken_out, .. }, paused_webhooks, seconds } =
        &restored;
    say!(
        "restored {}: {} crates, {} versions, {} crate files, in {seconds:.1} s",
        manifest.name,
        manifest.crates,
        manifest.versions,
        manifest.files
    );
    if *rendered > 0 || *taken_out > 0 {
        say!(
            "the index was ahead of the database: {rendered} crates were rendered again, {taken_out} removed; versions that were \
             published during the backup have to be published again"
        );
    }
    if *paused_webhooks > 0 {
        say!(
            "{paused_webhooks} webhooks are paused, because this may be a copy: `supercargo webhook list` has them, and `supercargo \
             webhook resume ID` delivers what waits"
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
    let Restored { manifest, agreed: agreed @ Agreed { rendered, taken_out, .. }, seconds, .. } = &restored;
    say!(
        "restored the index of {} in {seconds:.1} s; {rendered} crates were rendered again from the database, {taken_out} \
         removed",
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
    let index_files = storage.data_dir.upstream_index();
    let of_upstreams = checked.manifest.upstream_cache.is_some();
    let upstream_store = of_upstreams.then(|| storage.upstream_store(&options.crate_store, StoreRole::Stores));
    let upstream_store = upstream_store.transpose()?;
    let (mut connection, database_url) = storage.connect_to_one()?;
    let target = Target {
        database_url: &database_url,
        postgres_bin_dir: options.storage.postgres_bin_dir.as_deref(),
        index: &index,
        crate_store: &crate_store,
        upstream_cache: upstream_store
            .as_ref()
            .map(|crate_files| UpstreamCache { crate_files, index_files: &index_files }),
    };
    Ok(backup::restore(directory, checked, &target, &mut connection)?)
}
