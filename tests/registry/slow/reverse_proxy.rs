//! The examples of docs/reverse-proxy.md, run with the real nginx and cargo.

use crate::support::cargo::{Cargo, said};
use crate::support::nginx::{Nginx, Port};
use crate::support::process::Served;
use crate::support::tls::{Authority, BOTH, cainfo};

/// Where nginx connects from. The client is at 127.0.0.1.
const PROXY: &str = "127.0.0.2";

/// The block after a mark of the documentation.
fn example(name: &str) -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reverse-proxy.md")).unwrap();
    let mark = format!("<!-- example: {name} -->\n```");
    let (_, after) = text.split_once(&mark).unwrap_or_else(|| panic!("no example {name:?}"));
    let (_, block) = after.split_once('\n').unwrap();
    block.split_once("```\n").unwrap().0.to_owned()
}

/// Replaces what must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} once in: {text}");
    text.replace(from, to)
}

/// A registry behind nginx, which is configured as documented.
struct Site {
    authority: Authority,
    served: Served,
    nginx: Nginx,
    /// The address of nginx.
    address: String,
    /// The public URL.
    url: String,
}

impl Site {
    /// With this path in the public URL, and these locations in place of `location /` of the example; `change` changes
    /// the whole.
    fn start(path: &str, locations: Option<&str>, change: impl FnOnce(String) -> String) -> Self {
        let authority = Authority::new();
        let port = Port::free();
        let address = format!("127.0.0.1:{}", port.number);
        let url = format!("https://{address}{path}");
        let served = Served::start_with_log("info", &["--public-url", &url, "--trusted-proxies", PROXY]);
        let mut server = example("nginx");
        if let Some(locations) = locations {
            server = replaced(&server, "location / {\n        proxy_pass http://127.0.0.1:2274;\n    }", locations);
        }
        let file = |name| authority.path(name).display().to_string();
        server = replaced(&server, "listen 443 ", &format!("listen {address} "));
        server = replaced(&server, "/etc/ssl/certs/crates.example.com.pem", &file("cert.pem"));
        server = replaced(&server, "/etc/ssl/private/crates.example.com.key", &file("key.pem"));
        server = replaced(&server, "127.0.0.1:2274", &served.address());
        let nginx = Nginx::start(&port, &format!("proxy_bind {PROXY};\n{}", change(server)));
        Self { authority, served, nginx, address, url }
    }

    fn cargo(&self, index: &str) -> Cargo {
        Cargo::new(index, &self.served.token("ann"))
    }

    /// A crate whose file is larger than a MiB.
    fn write_large(&self, cargo: &Cargo) {
        cargo.library("large", "1.0.0+build.5", "", "pub const N: u32 = 7;\n");
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + u8::try_from(state >> 58).unwrap())
        });
        cargo.write("large/noise", &noise.take(3_000_000).collect::<String>());
    }

    /// Publishes that crate; answers what cargo printed, and whether it succeeded.
    fn publish_large(&self) -> (bool, String) {
        let cargo = self.cargo(&format!("sparse+{}/index/", self.url));
        self.write_large(&cargo);
        let trust = cainfo(&self.authority.certificate());
        let publish = ["--config", &trust, "publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"];
        let output = cargo.command("large", &publish).output().unwrap();
        (output.status.success(), said(&output))
    }

    /// Builds a program that depends on the crate.
    fn build(&self, index: &str, with_cli: &str) {
        let cargo = self.cargo(index);
        let dependency = "[dependencies]\nlarge = { version = \"1\", registry = \"supercargo\" }\n";
        cargo.binary("user", dependency, "fn main() { println!(\"n={}\", large::N); }\n");
        let trust = cainfo(&self.authority.certificate());
        let fetch = format!("net.git-fetch-with-cli={with_cli}");
        let mut command = cargo.command("user", &["--config", &trust, "--config", &fetch, "run", "-q"]);
        let output = command.env("GIT_SSL_CAINFO", self.authority.certificate()).output().unwrap();
        assert!(said(&output).contains("n=7"), "{index} {with_cli}: {}", said(&output));
    }

    /// The head and the first bytes of an answer of nginx.
    fn get(&self, path: &str) -> String {
        self.authority.connect(&self.address, &[], BOTH).get(path)
    }

    /// Everything that cargo does, and what is known of the client.
    fn check(&self, path: &str) {
        let (succeeded, printed) = self.publish_large();
        assert!(succeeded && printed.contains("Published large v1.0.0+build.5"), "{printed}");
        self.build(&format!("sparse+{}/index/", self.url), "false");
        for with_cli in ["false", "true"] {
            self.build(&format!("{}/git/index", self.url), with_cli);
        }
        let cargo = self.cargo(&format!("sparse+{}/index/", self.url));
        let trust = cainfo(&self.authority.certificate());
        cargo.good(".", &["--config", &trust, "yank", "--registry", "supercargo", "large@1.0.0+build.5"]);
        assert!(self.get(&format!("{path}/index/la/rg/large")).contains("\"yanked\":true"));
        // What is not cargo's.
        let home = self.get(&format!("{path}/"));
        assert!(home.contains(&format!("sparse+{}/index/", self.url)), "{home}");
        assert!(self.get(&format!("{path}/health/ready")).starts_with("HTTP/1.1 200 OK\r\n"));
        for metrics in ["/metrics", &format!("{path}/metrics")] {
            assert!(self.get(metrics).starts_with("HTTP/1.1 404 "), "{metrics}: {}", self.get(metrics));
        }
        let offered = self.authority.connect(&self.address, &["h2", "http/1.1"], BOTH);
        assert_eq!(offered.protocol(), Some("h2"));
        // Who it was, and under which name nginx has the request.
        let log = self.served.log();
        let line = log.lines().find(|line| line.contains("accepted a publish")).unwrap_or_else(|| panic!("{log}"));
        assert!(line.contains("client=127.0.0.1 ") && line.contains("path=\"/api/v1/crates/new\""), "{line}");
        let (_, id) = line.split_once("id=\"").unwrap();
        assert!(id.split_once('"').unwrap().0.len() == 32, "an id of nginx: {line}");
        let audit = self.served.run("admin audit", &["--json"]);
        assert!(audit.contains("\"127.0.0.1\"") && !audit.contains(PROXY), "{audit}");
        let named = format!("PUT {path}/api/v1/crates/new HTTP/");
        assert!(self.nginx.access_log().contains(&named), "{}", self.nginx.access_log());
    }
}

#[test]
fn cargo_publishes_and_builds_through_nginx() {
    Site::start("", None, |server| server).check("");
}

#[test]
fn cargo_publishes_and_builds_through_nginx_that_passes_a_path_on() {
    Site::start("/crates", Some(&example("nginx, path passed on")), |server| server).check("/crates");
}

#[test]
fn cargo_publishes_and_builds_through_nginx_that_removes_a_path() {
    Site::start("/crates", Some(&example("nginx, path removed")), |server| server).check("/crates");
}

#[test]
fn a_proxy_that_refuses_large_bodies_makes_cargo_print_what_is_documented() {
    let without_limit = |server: String| replaced(&server, "client_max_body_size 12m;", "");
    let (succeeded, printed) = Site::start("", None, without_limit).publish_large();
    assert!(!succeeded);
    let lines = example("cargo, body too large");
    assert!(lines.lines().count() >= 5);
    for line in lines.lines().filter(|line| line.trim() != "…") {
        assert!(printed.contains(line), "{line:?}: {printed}");
    }
}
