//! `--listen` and `--metrics-listen`: an address, a name, a port alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::cluster::Database;
use crate::support::event::wait_for;
use crate::support::http;
use crate::support::process::{failed, supercargo, wait_for_url};

/// A registry that listens as it is configured.
struct Registry {
    directory: tempfile::TempDir,
    child: Child,
    url: String,
    _database: Database,
}

impl Registry {
    fn start(arguments: &[&str], configuration: &str) -> Self {
        let (directory, database) = (tempfile::tempdir().unwrap(), Database::fresh());
        let data_dir = directory.path().join("data");
        std::fs::create_dir(&data_dir).unwrap();
        std::fs::write(data_dir.join("supercargo.toml"), configuration).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut command = supercargo();
        command.args(["serve", "--database-url", &database.url(), "--data-dir"]).arg(&data_dir).args(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let url = wait_for_url(&mut child, &data_dir);
        Self { directory, child, url, _database: database }
    }

    fn port(&self) -> u16 {
        self.url.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Asserts that the URL works, and is in config.json.
    fn assert_url(&self, expected: &str) {
        assert_eq!(self.url, format!("{expected}:{}", self.port()));
        assert_eq!(http::get(&format!("{}/index/config.json", self.url)).good().json()["api"], self.url);
    }

    /// Asserts that the port answers at these addresses, as far as this machine has them.
    fn assert_answers_at(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        for address in addresses {
            if std::net::TcpListener::bind((address, 0)).is_ok() {
                TcpStream::connect((address, self.port())).unwrap_or_else(|error| panic!("{address}: {error}"));
            }
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

#[test]
fn a_name_is_listened_on_at_all_its_addresses_and_is_in_the_url() {
    let registry = Registry::start(&["--listen", "localhost:0", "--metrics-listen", "localhost:0"], "");
    registry.assert_url("http://localhost");
    // Perhaps 127.0.0.1 alone: that is for the machine to say.
    let addresses = ("localhost", 0).to_socket_addrs().unwrap();
    registry.assert_answers_at(addresses.map(|address| address.ip()));
    let log = registry.log();
    let metrics = log.split_once("metrics are at ").unwrap().1.split_whitespace().next().unwrap();
    assert!(metrics.starts_with("http://localhost:"), "{metrics}");
    http::get(metrics).good();
}

#[test]
fn a_port_alone_is_on_127_0_0_1_also_as_a_number_in_the_file() {
    let registry = Registry::start(&[], "listen = 0\nmetrics-listen = 0\n");
    registry.assert_url("http://127.0.0.1");
    assert!(registry.log().contains("metrics are at http://127.0.0.1:"), "{}", registry.log());
    assert!(!registry.log().contains("listening on all addresses"));
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert!(TcpStream::connect(("::1", registry.port())).is_err());
    }
}

#[test]
fn a_colon_and_a_port_are_all_addresses_and_a_warning() {
    for listen in [":0", "*:0"] {
        let registry = Registry::start(&["--listen", listen], "");
        registry.assert_url("http://127.0.0.1");
        registry.assert_answers_at([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        let warned = format!("listening on all addresses, but config.json has {}", registry.url);
        wait_for("the warning", || registry.log().contains(&warned).then_some(()));
    }
}

#[test]
fn an_unknown_name_and_a_wrong_form_are_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |option: &str, address: &str, code: i32| {
        let mut command = supercargo();
        command.args(["serve", option, address, "--data-dir"]).arg(directory.path().join("data"));
        if option != "--listen" {
            // The usual port may be taken.
            command.args(["--listen", "127.0.0.1:0"]);
        }
        failed(command.output().unwrap(), code)
    };
    let said = refused("--metrics-listen", "no-such-host.invalid:2274", 1);
    assert!(
        said.starts_with("supercargo: cannot resolve the host name no-such-host.invalid of --metrics-listen ("),
        "{said}"
    );
    assert!(
        said.ends_with("correct it, add it to /etc/hosts or the DNS, or use an address such as 127.0.0.1:2274\n"),
        "{said}"
    );
    for option in ["--listen", "--metrics-listen"] {
        let said = refused(option, "localhost", 2);
        assert!(said.contains("the port is missing: use an address and a port, such as 127.0.0.1:2274"), "{said}");
    }
    assert!(!directory.path().join("data").exists());
}
