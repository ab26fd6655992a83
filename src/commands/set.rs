//! `supercargo set`.

use crate::admin;
use crate::config::{ApproveOptions, RuleCommand, SetCommand, SetFilesOptions, StorageOptions};
use crate::jobs::staging::create::Wanted;
use crate::jobs::staging::examine::Rules;
use crate::package::RegistryUrls;
use crate::process::operator_command::{on, operator, with_aliases};
use crate::process::registry_address::known_address;
use crate::process::storage::StoreRole;
use crate::process::{CommandError, Storage};
use crate::source::SourceCache;

pub(super) fn set(command: SetCommand) -> Result<(), CommandError> {
    match command {
        SetCommand::Create { name, title, private, expires_in, output, storage } => {
            let name = name.as_deref().map(admin::sets::set_name).transpose()?;
            let wanted = Wanted {
                name: name.as_ref(),
                title: title.as_deref(),
                is_preview: !private,
                expires_in: Some(expires_in),
                is_of_publish: false,
            };
            at(&storage, |connection, base| admin::sets::create(connection, &operator(), &wanted, (base, output.json)))
        }
        SetCommand::List { all, limit, output, storage } => {
            at(&storage, |connection, base| admin::sets::list(connection, all, limit, (base, output.json)))
        }
        SetCommand::Show { name, output, storage } => {
            at(&storage, |connection, base| admin::sets::show(connection, &name, (base, output.json)))
        }
        SetCommand::Remove { name, krate, num, storage } => {
            on(&storage, |connection| admin::sets::remove(connection, &operator(), &name, (&krate, &num)))
        }
        SetCommand::Reject { name, reason, storage } => {
            on(&storage, |connection| admin::sets::reject(connection, &operator(), &name, &reason))
        }
        SetCommand::Diff(options) => diff(&options),
        SetCommand::Approve(options) => approve(&options),
        SetCommand::Rule(command) => rule(command),
        SetCommand::Extend { name, expires_in, storage } => {
            on(&storage, |connection| admin::sets::extend(connection, &operator(), &name, expires_in))
        }
    }
}

fn diff(options: &SetFilesOptions) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(&options.storage)?;
    let done = print_diff(options, &storage);
    storage.close()?;
    done
}

fn print_diff(options: &SetFilesOptions, storage: &Storage) -> Result<(), CommandError> {
    let store = storage.crate_store(&options.crate_store, StoreRole::Reads)?;
    let address = known_address(&options.storage, None)?;
    // Of its own: that of a running server is locked, and this is read once.
    let directory = tempfile::tempdir()?;
    let cache = SourceCache::new(store, directory.path().to_owned(), u64::MAX);
    let urls = RegistryUrls::new([address.url.as_str()]);
    Ok(admin::sets::diff(&mut storage.connect()?, &options.name, (&cache, &urls))?)
}

fn approve(options: &ApproveOptions) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(&options.storage)?;
    let done = try_approve(options, &storage);
    storage.close()?;
    done
}

fn try_approve(options: &ApproveOptions, storage: &Storage) -> Result<(), CommandError> {
    let store = storage.crate_store(&options.crate_store, StoreRole::Reads)?;
    let address = known_address(&options.storage, None)?;
    let urls = with_aliases(RegistryUrls::new([address.url.as_str()]), &options.index_aliases)?;
    let (limits, policy) = (options.limits.limits(), options.policy.policy(address.is_private));
    let rules = Rules { urls: &urls, limits: &limits, policy: &policy };
    let set = (options.name.as_str(), options.revision, options.override_reason.as_deref());
    Ok(admin::sets::approve(&mut storage.connect()?, &operator(), set, (&store, rules))?)
}

fn rule(command: RuleCommand) -> Result<(), CommandError> {
    match command {
        RuleCommand::Add { subject, approvals, by_another, approved_by, storage } => on(&storage, |connection| {
            let wanted = admin::set_rules::Wanted { subject, approvals, by_another, approved_by };
            admin::set_rules::add(connection, &operator(), &wanted)
        }),
        RuleCommand::List { output, storage } => {
            on(&storage, |connection| admin::set_rules::list(connection, output.json))
        }
        RuleCommand::Remove { id, storage } => {
            on(&storage, |connection| admin::set_rules::remove(connection, &operator(), id))
        }
    }
}

/// Runs a command that names the URLs of sets, on the registry's database.
fn at(
    options: &StorageOptions,
    command: impl FnOnce(&mut diesel::PgConnection, &str) -> Result<(), admin::AdminError>,
) -> Result<(), CommandError> {
    let storage = Storage::attach_or_start(options)?;
    let done = known_address(options, None).and_then(|address| {
        let base_url = address.url.trim_end_matches('/').to_owned();
        Ok(command(&mut storage.connect()?, &base_url)?)
    });
    storage.close()?;
    done
}
