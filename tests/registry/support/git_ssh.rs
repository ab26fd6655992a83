//! A real sshd on loopback, with keys of its own, which lets in the user who runs the tests and nobody else.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::event::wait_until;
use super::git_remote::Bare;
use super::process::succeeded;

const SSHD: &str = "/usr/sbin/sshd";

/// The daemon, stopped at the end.
pub struct SshServer {
    directory: tempfile::TempDir,
    port: u16,
    daemon: Child,
}

impl SshServer {
    pub fn start() -> Self {
        assert!(Path::new(SSHD).exists(), "there is no {SSHD}: script/setup installs what the tests need");
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        for name in ["host", "client", "stranger"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(file(name));
            succeeded(keygen.output().unwrap());
        }
        std::fs::copy(file("client.pub"), file("authorized")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            file("host").display(),
            file("authorized").display(),
        );
        std::fs::write(file("config"), config).unwrap();
        if nix::unistd::geteuid().is_root() {
            // Where a daemon of root's keeps its unprivileged half; the system's own makes it when it starts.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = std::fs::File::create(file("log")).unwrap();
        let mut daemon = Command::new(SSHD);
        daemon.args(["-D", "-e", "-f"]).arg(file("config")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut daemon = daemon.spawn().unwrap();
        wait_until("sshd to listen", || {
            if let Some(status) = daemon.try_wait().unwrap() {
                panic!("sshd: {status}: {}", std::fs::read_to_string(file("log")).unwrap());
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let host_key = std::fs::read_to_string(file("host.pub")).unwrap();
        std::fs::write(file("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        Self { directory, port, daemon }
    }

    /// The URL of a repository, for the user who runs the tests.
    pub fn url(&self, remote: &Bare) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
        format!("ssh://{user}@127.0.0.1:{}{}", self.port, remote.path().display())
    }

    /// A key that is let in.
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("client")
    }

    /// A key that is not.
    pub fn strange_key(&self) -> PathBuf {
        self.directory.path().join("stranger")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.directory.path().join("known_hosts")
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}
