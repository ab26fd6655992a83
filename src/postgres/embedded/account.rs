//! The operating system user who runs the server. PostgreSQL refuses to run as root, so for root it is an unprivileged
//! user, who then owns the cluster directory. That user must be able to pass through every directory above it. This is
//! checked before anything is created, because PostgreSQL's own message names the last directory and not the closed
//! one.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User};

use super::error::EmbeddedError;
use super::existing::ExistingCluster;

/// The users that are tried in this order when root names none.
const USUAL: [&str; 2] = ["postgres", "nobody"];

/// The user that unrelated programs share.
const SHARED: &str = "nobody";

/// An unprivileged user of this machine.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

impl Account {
    /// Chooses the user who runs the server; `None` for the user of this process, if that is not root.
    pub(super) fn choose(
        named: Option<&str>,
        existing: Option<&ExistingCluster>,
        cluster: &Path,
    ) -> Result<Option<Account>, EmbeddedError> {
        let me = Uid::effective();
        if !me.is_root() {
            check_owner(existing, me, cluster)?;
            return Ok(None);
        }
        let account = match (named, existing) {
            (Some(name), _) => Account::named(name)?.ok_or_else(|| unusable(name, "there is no such user"))?,
            (None, Some(existing)) if !existing.owner.is_root() => Account::owning(existing.owner)?,
            (None, _) => Account::usual()?,
        };
        if account.uid.is_root() {
            return Err(unusable(&account.name, "PostgreSQL refuses to run as root"));
        }
        check_owner(existing, account.uid, cluster)?;
        account.warn_if_shared();
        Ok(Some(account))
    }

    /// Warns if the server runs as `nobody`: every program of that user can read the cluster's files, whatever the
    /// access rules of the server are.
    fn warn_if_shared(&self) {
        if self.name == SHARED {
            tracing::warn!(
                "the embedded PostgreSQL runs as `nobody`, so every program that runs as nobody on this machine can \
                 read its files: create a user (useradd --system supercargo-postgres), stop supercargo, change the \
                 owner (chown -R supercargo-postgres: DATA_DIR/postgres), and start with --postgres-user \
                 supercargo-postgres"
            );
        }
    }

    /// Lets the group of this user, and no other user, pass through root's data directory.
    pub(super) fn let_through(&self, data_dir: &Path) -> Result<(), EmbeddedError> {
        let failed = |reason| EmbeddedError::directory("open", data_dir, reason);
        let found = fs::metadata(data_dir).map_err(failed)?;
        if found.uid() != 0 || (found.gid() == self.gid.as_raw() && found.mode() & 0o777 == 0o710) {
            return Ok(());
        }
        chown(data_dir, None, Some(self.gid.as_raw())).map_err(failed)?;
        fs::set_permissions(data_dir, Permissions::from_mode(0o710)).map_err(failed)
    }

    /// Checks that this user can reach the data directory.
    pub(super) fn check_passage(&self, data_dir: &Path) -> Result<(), EmbeddedError> {
        for directory in data_dir.ancestors() {
            let metadata =
                fs::metadata(directory).map_err(|reason| EmbeddedError::directory("examine", directory, reason))?;
            let bit = if metadata.uid() == self.uid.as_raw() {
                0o100
            } else if metadata.gid() == self.gid.as_raw() {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & bit == 0 {
                return Err(EmbeddedError::ClosedDirectory {
                    directory: directory.to_owned(),
                    user: self.name.clone(),
                    data_dir: data_dir.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn usual() -> Result<Account, EmbeddedError> {
        for name in USUAL {
            if let Some(account) = Account::named(name)? {
                return Ok(account);
            }
        }
        Err(unusable(USUAL[0], "neither it nor nobody exists on this machine"))
    }

    fn named(name: &str) -> Result<Option<Account>, EmbeddedError> {
        let user = User::from_name(name).map_err(|errno| unusable(name, errno.desc()))?;
        Ok(user.map(|user| Account { name: user.name, uid: user.uid, gid: user.gid }))
    }

    /// The account of a cluster's owner. A restored backup may belong to a number without a name.
    fn owning(uid: Uid) -> Result<Account, EmbeddedError> {
        let user = User::from_uid(uid).map_err(|errno| unusable(&uid.to_string(), errno.desc()))?;
        Ok(match user {
            Some(user) => Account { name: user.name, uid, gid: user.gid },
            None => Account { name: uid.to_string(), uid, gid: Gid::from_raw(uid.as_raw()) },
        })
    }
}

fn check_owner(existing: Option<&ExistingCluster>, user: Uid, cluster: &Path) -> Result<(), EmbeddedError> {
    match existing {
        Some(existing) if existing.owner != user => Err(EmbeddedError::ForeignCluster {
            cluster: PathBuf::from(cluster),
            owner: name_of(existing.owner),
            user: name_of(user),
        }),
        _ => Ok(()),
    }
}

fn name_of(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

fn unusable(name: &str, problem: &str) -> EmbeddedError {
    EmbeddedError::UnusableUser { name: name.to_owned(), problem: problem.to_owned() }
}
