//! A small file system that a test fills, in a mount namespace of its own.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::libc;

use super::other_user::is_root;

/// Set for a test that runs in its namespace.
const INSIDE: &str = "TEST_IN_A_NAMESPACE";

/// Runs the body of this test (`module::name`) in another process, which may mount file systems: they are seen by that
/// process and its children alone, and go with them. Root needs the right to mount, others need user namespaces.
pub fn in_namespace(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = command.output().expect("unshare of util-linux");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n(This test mounts a file system. If `unshare` was refused: run it as root, in a container with --cap-add \
         SYS_ADMIN, or where user namespaces are allowed.)"
    );
}

/// An empty file system in memory. Only for tests [`in_namespace`].
pub struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    #[expect(unsafe_code, reason = "mounts a file system")]
    pub fn of_kib(size: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = |text: &str| CString::new(text).unwrap();
        let (kind, place) = (text("tmpfs"), text(directory.path().to_str().unwrap()));
        let options = text(&format!("size={size}k,mode=711"));
        // SAFETY: the pointers are of strings that live until the call returns.
        let mounted = unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
        assert_eq!(mounted, 0, "cannot mount a tmpfs: {}", std::io::Error::last_os_error());
        Self { directory }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn filling(&self) -> PathBuf {
        self.path().join("filling")
    }

    /// Fills it up to the last byte.
    pub fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filling()).unwrap();
        for piece in [1 << 20, 1 << 12] {
            let zeros = vec![0; piece];
            let error = std::iter::repeat_with(|| file.write_all(&zeros)).find_map(Result::err).unwrap();
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        }
    }

    /// Gives back this many bytes of those that were filled.
    pub fn give_back(&self, bytes: u64) {
        let file = File::options().write(true).open(self.filling()).unwrap();
        file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
    }

    /// Gives back everything.
    pub fn empty(&self) {
        fs::remove_file(self.filling()).unwrap();
    }
}

impl Drop for SmallDisk {
    #[expect(unsafe_code, reason = "unmounts a file system")]
    fn drop(&mut self) {
        let place = CString::new(self.path().to_str().unwrap()).unwrap();
        // SAFETY: the pointer is of a string that lives until the call returns.
        unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) };
    }
}
