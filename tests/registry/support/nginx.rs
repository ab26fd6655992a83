//! A real nginx on loopback, which runs as the user who runs the tests.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use socket2::{Domain, Socket, Type};

use super::event::wait_until;

/// A free port that nobody else gets until nginx listens on it.
pub struct Port {
    held: Socket,
    pub number: u16,
}

impl Port {
    pub fn free() -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // A socket that does not listen keeps out whoever wants any port, and not who names this one.
        held.set_reuse_address(true).unwrap();
        held.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        let number = held.local_addr().unwrap().as_socket().unwrap().port();
        Self { held, number }
    }
}

/// The server, stopped at the end.
pub struct Nginx {
    directory: tempfile::TempDir,
    server: Child,
}

impl Nginx {
    /// Starts it with the content of its block `http`, which listens on this port.
    pub fn start(port: &Port, http: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().display();
        let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {place}/{name};\n"))
            .concat();
        // One process, which ends with its parent's kill.
        let config = format!(
            "daemon off; master_process off; {user}\npid {place}/pid;\nerror_log {place}/error.log info;\nevents {{}}\n\
             http {{\naccess_log {place}/access.log;\n{paths}{http}\n}}\n"
        );
        std::fs::write(directory.path().join("nginx.conf"), config).unwrap();
        let log = std::fs::File::create(directory.path().join("output")).unwrap();
        let mut command = Command::new(program());
        command.arg("-p").arg(directory.path()).arg("-c").arg(directory.path().join("nginx.conf"));
        command.arg("-e").arg(directory.path().join("error.log"));
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        wait_until("nginx to listen", || {
            if let Some(status) = server.try_wait().unwrap() {
                panic!("nginx: {status}: {}", std::fs::read_to_string(directory.path().join("output")).unwrap());
            }
            TcpStream::connect(("127.0.0.1", port.number)).is_ok()
        });
        Self { directory, server }
    }

    /// What it logged of requests, one line each.
    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("access.log")).unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

/// Debian keeps it where only root's PATH leads.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = places.map(|directory| directory.join("nginx")).find(|program| Path::exists(program));
    found.expect("there is no nginx: script/setup installs what the tests need")
}
