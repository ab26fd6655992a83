//! Creating an index, and the settings that every index has.
//!
//! A repository is built beside its final path and renamed, so a process that is killed meanwhile leaves no incomplete
//! one. If two processes start at once, both build a repository; one rename succeeds, and the other process opens the
//! result.
//!
//! libgit2 is isolated from the machine: no template directory, no user configuration, no check of who owns the files
//! (in a container, the volume often belongs to another user).

use std::ffi::c_int;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Once;

use git2::{ConfigLevel, Repository, RepositoryInitOptions, opts};
use libgit2_sys::{GIT_OPT_ENABLE_FSYNC_GITDIR, git_libgit2_opts};

use super::branch::{self, MAIN};
use super::error::{IndexError, optional};
use super::sync::sync;

/// The settings of the repository, for libgit2 and for the git program.
const SETTINGS: [(&str, &str); 10] = [
    // Makes the git program sync what a repack writes. libgit2 has its own switch below: it would also read
    // core.fsyncObjectFiles, but git warns of that old name, and every fetch would pass the warning on to the client.
    ("core.fsync", "committed"),
    // supercargo repacks the index itself.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    // Allows `git clone --filter`.
    ("uploadpack.allowFilter", "true"),
    // A client may request a commit that was the head a moment ago. With stateless HTTP that is common while batches
    // are written.
    ("uploadpack.allowReachableSHA1InWant", "true"),
    ("uploadpack.allowTipSHA1InWant", "true"),
    // References for the work with a remote are hidden from clients.
    ("uploadpack.hideRefs", "refs/supercargo"),
    ("http.receivepack", "false"),
    // The server shares its machine with the registry.
    ("pack.threads", "2"),
    // A multi-pack-index would name packs that the next repack removes while readers use it.
    ("core.multiPackIndex", "false"),
];

/// Isolates libgit2 from the configuration of the machine and the user. Call it before opening a repository.
#[expect(unsafe_code, reason = "sets global options of libgit2")]
pub(super) fn isolate_libgit2() {
    static ISOLATED: Once = Once::new();
    ISOLATED.call_once(|| {
        let levels = [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global];
        for level in levels {
            // SAFETY: the search path is an unlocked global of libgit2; the Once makes this the only writer, and every
            // reader comes later.
            let emptied = unsafe { opts::set_search_path(level, "") };
            emptied.expect("an empty path is valid for these levels"); // the call fails for unknown levels only
        }
        // SAFETY: as above.
        let allowed = unsafe { opts::set_verify_owner_validation(false) };
        allowed.expect("the option exists"); // the call fails for unknown options only
        // SAFETY: as above; this option takes one int. Without it libgit2 syncs nothing: no object, pack or ref.
        let synced = unsafe { git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR as c_int, c_int::from(true)) };
        assert_eq!(synced, 0, "libgit2 cannot sync its writes");
    });
}

/// Creates an index at `path` if it is missing or an empty directory.
pub(super) fn create_if_absent(path: &Path) -> Result<(), IndexError> {
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(false) => return Ok(()),
        Ok(true) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(IndexError::file("open", path)(error)),
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(IndexError::file("create", parent))?;
    let building = tempfile::Builder::new()
        .prefix(".new-index-")
        .tempdir_in(parent)
        .map_err(IndexError::file("create a directory in", parent))?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).external_template(false).initial_head("main");
    let repository =
        Repository::init_opts(building.path(), &options).map_err(IndexError::git("create the repository", path))?;
    apply_settings(&repository, path)?;
    drop(repository);
    fs::set_permissions(building.path(), Permissions::from_mode(0o700)).map_err(IndexError::file("protect", path))?;
    sync_tree(building.path()).map_err(IndexError::file("sync", path))?;
    match fs::rename(building.path(), path) {
        Ok(()) => {
            let _moved_away = building.keep();
            sync(parent).map_err(IndexError::file("sync", parent))
        }
        // Another process has created it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) => Err(IndexError::file("create", path)(error)),
    }
}

/// Checks that HEAD is the index's branch, and updates the settings.
pub(super) fn check(repository: &Repository, path: &Path) -> Result<(), IndexError> {
    let unreadable = |error| IndexError::git("read HEAD", path)(error);
    let head = repository.find_reference("HEAD").map_err(unreadable)?;
    let target = head.symbolic_target_bytes().map(|target| String::from_utf8_lossy(target).into_owned());
    let branch = branch::real(repository).map_err(IndexError::git("read the branch", path))?;
    if ![Some(MAIN), Some(&*branch)].contains(&target.as_deref()) {
        let found = target.unwrap_or_else(|| "a commit".to_owned());
        return Err(IndexError::WrongBranch { path: path.to_owned(), found, expected: branch });
    }
    apply_settings(repository, path)
}

fn apply_settings(repository: &Repository, path: &Path) -> Result<(), IndexError> {
    let failed = |error| IndexError::git("write the configuration", path)(error);
    let mut config = repository.config().map_err(failed)?;
    for (name, value) in SETTINGS {
        let present = optional(config.get_string(name)).map_err(failed)?;
        if present.as_deref() != Some(value) {
            config.set_str(name, value).map_err(failed)?;
        }
    }
    Ok(())
}

fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            sync(&entry.path())?;
        }
    }
    sync(directory)
}
