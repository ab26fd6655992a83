//! Acting as another user of the machine, which only root can.

use nix::libc;

/// A user whom no file belongs to. The system need not know of it.
pub const STRANGER: u32 = 65_530;
/// `nobody`, whose account programs share.
pub const NOBODY: u32 = 65_534;

/// Whether tests can act as another user.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs `act` on a thread that is this user's, and of its group alone. Only that thread changes: the system calls are made
/// without the C library, which would change all of them.
#[expect(unsafe_code, reason = "changes the user of one thread")]
pub fn as_user<T: Send>(uid: u32, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            // SAFETY: the calls take numbers, and a null pointer for an empty list.
            let changed = unsafe {
                [
                    libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
                    libc::syscall(libc::SYS_setresgid, uid, uid, uid),
                    libc::syscall(libc::SYS_setresuid, uid, uid, uid),
                ]
            };
            assert_eq!(changed, [0; 3], "{}", std::io::Error::last_os_error());
            act()
        });
        acting.join().unwrap()
    })
}
