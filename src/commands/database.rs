//! `supercargo database`.

use std::path::Path;

use crate::admin::output::{complain, say};
use crate::config::{DatabaseCommand, DatabaseUpgradeOptions};
use crate::process::data_dir::{self, permissions};
use crate::process::database_upgrade::{Done, Plan, Task};
use crate::process::{CommandError, storage};

const MIB: u64 = 1 << 20;

pub(super) fn database(command: &DatabaseCommand) -> Result<(), CommandError> {
    match command {
        DatabaseCommand::Upgrade(options) => {
            upgrade(options).map_err(|error| data_dir::name_full_disk(&options.storage, error))
        }
    }
}

fn upgrade(options: &DatabaseUpgradeOptions) -> Result<(), CommandError> {
    if options.storage.database_url().is_some() {
        return Err(CommandError::new(
            "`supercargo database upgrade` is for the embedded PostgreSQL, and this registry has a database of its own \
             (--database-url): upgrade that server with its own tools, while supercargo is stopped",
        ));
    }
    permissions::refuse_root_in_a_directory_of_others(&options.storage)?;
    let (cluster, _lock) = storage::lock_stopped(&options.storage)?;
    let data_dir = cluster.data_dir.clone();
    match Task::of(cluster, options.old_postgres_bin_dir.clone())? {
        Task::Nothing { major, finished: None } => {
            say!("the database in {} is already one of PostgreSQL {major}", data_dir.display());
        }
        Task::Nothing { major, finished: Some(kept) } => {
            say!("finished an interrupted upgrade: the database is one of PostgreSQL {major} now");
            say_how_to_go_on(&data_dir, &kept);
        }
        Task::Upgrade(plan) if options.dry_run => {
            plan.check_space()?;
            say_plan(&plan, &data_dir);
        }
        Task::Upgrade(plan) => {
            say_plan(&plan, &data_dir);
            let done = plan.run()?;
            say_done(&done);
            say_how_to_go_on(&data_dir, &done.kept);
        }
    }
    Ok(())
}

fn say_plan(plan: &Plan, data_dir: &Path) {
    let (needed, old) = plan.space();
    say!(
        "upgrade of the database in {} from PostgreSQL {} (programs in {}) to {} (in {}): {} MiB to copy, up to {} MiB needed",
        data_dir.display(),
        plan.old.major,
        plan.old.directory.display(),
        plan.new.major,
        plan.new.directory.display(),
        old.div_ceil(MIB),
        needed.div_ceil(MIB)
    );
}

fn say_done(done: &Done) {
    let (old, new) = &done.versions;
    say!(
        "upgraded from PostgreSQL {old} to {new}: {} tables with {} rows, verified row for row, in {:.1} s",
        done.tables,
        done.rows,
        done.took.as_secs_f64()
    );
    for sentence in &done.left_out {
        complain!("{sentence}");
    }
}

fn say_how_to_go_on(data_dir: &Path, kept: &Path) {
    let (current, kept) = (data_dir.join("postgres").display().to_string(), kept.display());
    say!("the old database is kept in {kept}");
    say!("start the registry; when it works, remove the old database: rm -r {kept}");
    say!(
        "to go back and lose what was changed since: stop the registry, `mv {current} {current}.new && mv {kept} {current}`, and \
         start it with the old programs"
    );
}
