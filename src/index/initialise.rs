//! A new index, and the settings every index has.
//!
//! A repository is built beside its place and renamed into it, so that a process killed in between leaves no half of
//! one: there is an index, or there is none. Two processes that start at once both build; one rename wins, the other
//! process opens what won.
//!
//! Nothing of the machine comes in: no template directory, no user's configuration, no check of who owns the files
//! (in a container the volume often belongs to someone else).

use std::ffi::c_int;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Once;

use git2::{ConfigLevel, Repository, RepositoryInitOptions, opts};
use libgit2_sys::{GIT_OPT_ENABLE_FSYNC_GITDIR, git_libgit2_opts};

use super::error::{IndexError, optional};

/// The one branch of the index; HEAD points to it.
pub(super) const BRANCH: &str = "refs/heads/main";

/// The settings of the repository, for libgit2 and for the git program.
const SETTINGS: [(&str, &str); 10] = [
    // The git program, which repacks, syncs what it writes. libgit2 has a switch of its own below: it would also read
    // core.fsyncObjectFiles, but then every fetch would pass a warning of git's about that old name on to the client.
    ("core.fsync", "committed"),
    // Repacking has its own place and time.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    // `git clone --filter` works.
    ("uploadpack.allowFilter", "true"),
    // A client that saw the head a moment ago may still ask for it when the branch has moved on; stateless HTTP
    // makes that an everyday case while batches are written.
    ("uploadpack.allowReachableSHA1InWant", "true"),
    ("uploadpack.allowTipSHA1InWant", "true"),
    // What is kept for work with a remote is no client's.
    ("uploadpack.hideRefs", "refs/supercargo"),
    ("http.receivepack", "false"),
    // The server shares its machine with the registry.
    ("pack.threads", "2"),
    // A multi-pack-index would name packs that the next repack removes, under the feet of open readers.
    ("core.multiPackIndex", "false"),
];

/// Makes libgit2 independent of the machine's and the user's configuration. Called before any repository is opened.
pub(super) fn isolate_libgit2() {
    static ISOLATED: Once = Once::new();
    ISOLATED.call_once(|| {
        let levels = [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global];
        for level in levels {
            // SAFETY: the search path is a global of libgit2 that isn't locked; the Once makes this the only writer,
            // and every reader comes after it.
            let emptied = unsafe { opts::set_search_path(level, "") };
            emptied.expect("an empty path is valid for these levels"); // the call fails for unknown levels only
        }
        // SAFETY: as above.
        let allowed = unsafe { opts::set_verify_owner_validation(false) };
        allowed.expect("the option exists"); // the call fails for unknown options only
        // SAFETY: as above; this option takes one int. Without it libgit2 syncs nothing: no object, pack or ref.
        let synced = unsafe { git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR as c_int, c_int::from(true)) };
        assert_eq!(synced, 0, "libgit2 has no durable writes");
    });
}

/// Creates the index at `path` unless something is there.
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
        // Another process was faster: its repository is as good.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        Err(error) => Err(IndexError::file("create", path)(error)),
    }
}

/// Checks that this is an index, and brings its settings up to date.
pub(super) fn check(repository: &Repository, path: &Path) -> Result<(), IndexError> {
    let unreadable = |error| IndexError::git("read HEAD", path)(error);
    let head = repository.find_reference("HEAD").map_err(unreadable)?;
    let target = head.symbolic_target_bytes().map(|target| String::from_utf8_lossy(target).into_owned());
    if target.as_deref() != Some(BRANCH) {
        let found = target.unwrap_or_else(|| "a commit".to_owned());
        return Err(IndexError::WrongBranch { path: path.to_owned(), found });
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

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
