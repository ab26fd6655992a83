//! The processes that hold a lock on a file, from the kernel's list.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use nix::sys::stat::{major, minor};
use nix::unistd::{Uid, User};

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    /// Its name, without control characters.
    pub program: String,
    /// Its real user.
    pub uid: u32,
}

/// The holders of `flock` locks on this file; empty if they are not visible in this PID namespace.
pub fn of(file: &File) -> Vec<Holder> {
    let (Ok(found), Ok(locks)) = (file.metadata(), std::fs::read_to_string("/proc/locks")) else { return Vec::new() };
    let mut pids = pids_in(&locks, &|device, inode| {
        inode == found.ino() && device == format!("{:02x}:{:02x}", major(found.dev()), minor(found.dev()))
    });
    if pids.is_empty() {
        // Some file systems (overlayfs, btrfs) report another device number to stat.
        pids = pids_in(&locks, &|_, inode| inode == found.ino());
    }
    pids.into_iter().filter_map(holder).collect()
}

/// The processes of lines such as `1: FLOCK  ADVISORY  WRITE 812 fd:00:1234 0 EOF` that hold a lock on the given file.
/// Waiting processes have an arrow before the kind.
fn pids_in(locks: &str, is_file: &dyn Fn(&str, u64) -> bool) -> Vec<u32> {
    let mut pids = Vec::new();
    for line in locks.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[_, "FLOCK", _, _, pid, file, ..] = fields.as_slice() else { continue };
        let (Some((device, inode)), Ok(pid)) = (file.rsplit_once(':'), pid.parse::<u32>()) else { continue };
        if inode.parse().is_ok_and(|inode| is_file(device, inode)) && !pids.contains(&pid) {
            pids.push(pid);
        }
    }
    pids
}

fn holder(pid: u32) -> Option<Holder> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()?;
    let program = name.trim_end().chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    Some(Holder { pid, program, uid })
}

/// The name of a user, or the number if it has none.
pub fn name_of(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid));
    user.ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_listed_and_waiting_processes_are_not() {
        let locks = "1: FLOCK  ADVISORY  WRITE 812 fd:00:1234 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 813 fd:00:1234 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 814 fd:00:1234 0 EOF\n3: FLOCK  ADVISORY  READ 815 fd:00:99 0 EOF\n";
        assert_eq!(pids_in(locks, &|device, inode| device == "fd:00" && inode == 1234), [812]);
        let file = tempfile::tempfile().unwrap();
        assert_eq!(of(&file), []);
        file.try_lock().unwrap();
        let holders = of(&file);
        assert_eq!(holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [std::process::id()]);
        assert_eq!(holders[0].uid, nix::unistd::getuid().as_raw());
    }
}
