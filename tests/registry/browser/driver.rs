//! chromedriver, and the HTTP that WebDriver is spoken in.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{Request, Response};
use bytes::Bytes;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use thirtyfour::LoggingPrefsLogLevel::All;
use thirtyfour::WebDriver;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities};

/// How many ports are tried, and what chromedriver says of one that it cannot have.
const TRIES: usize = 20;
const PORT_IS_TAKEN: &str = "IPv4 port not available";

/// A chromedriver on a port of its own. It ends with this value, and with the thread that started it if that is killed.
pub struct Driver {
    process: Child,
    /// Held, or its output would break its pipe.
    _output: BufReader<ChildStdout>,
    url: String,
}

impl Driver {
    /// `home` is where it and its browser keep what programs keep in home directories.
    pub fn start(home: &Path) -> Self {
        (0..TRIES).find_map(|_| Self::start_once(home)).unwrap_or_else(|| panic!("no port of {TRIES} is free on IPv4"))
    }

    /// None if the port is taken: chromedriver takes a free one on IPv6, needs the same on IPv4, and ends if another
    /// program has that.
    fn start_once(home: &Path) -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", home).env("TMPDIR", home).env("LC_ALL", "C.UTF-8");
        for (name, place) in [("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")] {
            command.env(name, home.join(place));
        }
        die_with_this_thread(&mut command);
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        #[expect(clippy::zombie_processes, reason = "it ends with the value, which is made of it in all cases")]
        let mut process = process.unwrap_or_else(|error| {
            panic!("chromedriver does not start ({error}): install it and chromium with script/setup --test")
        });
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        loop {
            let before = said.len();
            if output.read_line(&mut said).unwrap() == 0 {
                drop(Self { process, _output: output, url: String::new() });
                assert!(said.contains(PORT_IS_TAKEN), "chromedriver ended: {said}");
                return None;
            }
            if let Some((_, port)) = said[before..].split_once("started successfully on port ") {
                let port = port.trim().trim_end_matches('.');
                return Some(Self { process, _output: output, url: format!("http://127.0.0.1:{port}") });
            }
        }
    }

    /// Opens a browser with a profile in the home directory. Only this machine's loopback has a name for it.
    pub async fn browser(&self, home: &Path, has_script: bool) -> WebDriverResult<WebDriver> {
        let mut wanted = DesiredCapabilities::chrome();
        for argument in [
            "--headless",
            // The browser ends when this pipe does, also if the driver is killed.
            "--remote-debugging-pipe",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-gpu",
            // Containers have a small /dev/shm.
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--font-render-hinting=none",
            "--lang=en-US",
        ] {
            wanted.add_arg(argument)?;
        }
        wanted.add_arg(&format!("--user-data-dir={}", home.join("profile").display()))?;
        if nix::unistd::geteuid().is_root() {
            // Chromium refuses to run as root with its sandbox. It opens the pages of these tests alone.
            wanted.add_arg("--no-sandbox")?;
        }
        if !has_script {
            let forbidden = serde_json::json!({"profile.managed_default_content_settings.javascript": 2});
            wanted.add_experimental_option("prefs", forbidden)?;
        }
        // The console, and each request.
        wanted.set_logging_prefs("browser", All)?;
        wanted.set_logging_prefs("performance", All)?;
        WebDriver::builder(&*self.url, wanted).client(Http::new()).await
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[expect(unsafe_code, reason = "sets the parent-death signal between fork and exec")]
fn die_with_this_thread(command: &mut Command) {
    // SAFETY: between fork and exec the closure only makes the system call prctl and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?));
    }
}

/// Speaks to the driver, one request after the other.
struct Http(ureq::Agent);

impl Http {
    fn new() -> Self {
        Self(ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into())
    }
}

#[async_trait]
impl HttpClient for Http {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let (parts, content) = request.into_parts();
        let answer = match content {
            Body::Empty => self.0.run(Request::from_parts(parts, ())),
            Body::Json(content) => self.0.run(Request::from_parts(parts, content.to_string())),
        };
        let failed = |error: ureq::Error| WebDriverError::HttpError(error.to_string());
        let (parts, mut content) = answer.map_err(failed)?.into_parts();
        let content = content.with_config().limit(1 << 30).read_to_vec().map_err(failed)?;
        Ok(Response::from_parts(parts, content.into()))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self::new())
    }
}
