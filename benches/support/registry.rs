//! A real `serve` and the clients who publish to it.

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Publishes new crates and looks at the index after each; answers the median of the publishes.
pub fn publish(label: &str, registry: &Registry, prefix: &str, count: usize, clients: usize) -> Outcome<Duration> {
    let begin = Instant::now();
    let results: Vec<Outcome<Vec<(Duration, bool)>>> = std::thread::scope(|scope| {
        let publishing: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || publish_some(registry, &format!("{prefix}-{client}"), count / clients)))
            .collect();
        publishing.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let results: Vec<_> = results.into_iter().collect::<Outcome<Vec<_>>>()?.concat();
    let rate = results.len() as f64 / begin.elapsed().as_secs_f64();
    let visible = results.iter().filter(|result| result.1).count();
    let mut times: Vec<_> = results.iter().map(|result| result.0).collect();
    report(label, &mut times);
    println!("    {visible} of {} visible at the first look, {rate:.0} publishes/s", results.len());
    Ok(times[times.len() / 2])
}

fn publish_some(registry: &Registry, prefix: &str, count: usize) -> Outcome<Vec<(Duration, bool)>> {
    let agent = ureq::Agent::new_with_defaults();
    let mut results = Vec::new();
    for number in 0..count {
        let name = format!("{prefix}-{number}");
        let body = publish_body(&name)?;
        let begin = Instant::now();
        let url = format!("{}/api/v1/crates/new", registry.url);
        let answer =
            agent.put(url).header("authorization", &registry.token).send(&body)?.body_mut().read_to_string()?;
        let took = begin.elapsed();
        if !answer.contains("warnings") {
            return Err(answer.into());
        }
        let url = format!("{}/index/{}/{}/{name}", registry.url, &name[..2], &name[2..4]);
        // A 404 is an error of the client's call.
        results.push((took, agent.get(url).call().is_ok()));
    }
    Ok(results)
}

pub fn publish_body(name: &str) -> Outcome<Vec<u8>> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
         description = \"x\"\nlicense = \"MIT\"\n"
    );
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let files = [("Cargo.toml", manifest.as_bytes()), ("src/lib.rs", &b"//! A crate.\n"[..])];
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}-1.0.0/{path}"), content)?;
    }
    let crate_file = archive.into_inner()?.finish()?;
    let metadata =
        format!("{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"features\":{{}},\"description\":\"x\"}}");
    let mut body = Vec::new();
    for part in [metadata.as_bytes(), &crate_file] {
        body.extend(u32::try_from(part.len())?.to_le_bytes());
        body.extend(part);
    }
    Ok(body)
}

/// Prints median, 99th percentile and maximum; sorts.
pub fn report(label: &str, times: &mut [Duration]) {
    times.sort();
    let milliseconds = |place: usize| times[place.min(times.len() - 1)].as_secs_f64() * 1000.0;
    match times {
        [single] => println!("  {label:<12} {:8.1} ms", single.as_secs_f64() * 1000.0),
        _ => println!(
            "  {label:<12} median {:7.1} ms   p99 {:7.1} ms   max {:7.1} ms",
            milliseconds(times.len() / 2),
            milliseconds(times.len() * 99 / 100),
            milliseconds(times.len() - 1),
        ),
    }
}

/// As root, PostgreSQL runs as another user, who has to get through.
pub fn passable(directory: &Path) -> Outcome<()> {
    Ok(std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o711))?)
}

/// A serving process, stopped at the end.
pub struct Registry {
    child: Child,
    pub url: String,
    pub token: String,
    pub started_in: Duration,
}

impl Registry {
    pub fn start(data_dir: &Path) -> Outcome<Self> {
        Self::start_with(data_dir, &[])
    }

    pub fn start_with(data_dir: &Path, arguments: &[&str]) -> Outcome<Self> {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_supercargo"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--rate-limit", "none", "--data-dir"])
            .arg(data_dir)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()?;
        let file: PathBuf = data_dir.join("url");
        while !file.exists() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("serve ended: {status}").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let started_in = begin.elapsed();
        let read = |path: PathBuf| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
        Ok(Self { child, url: read(file)?, token: read(data_dir.join("admin-token"))?, started_in })
    }

    /// KiB of memory that the process holds.
    pub fn resident(&self) -> Outcome<usize> {
        let mut status = String::new();
        std::fs::File::open(format!("/proc/{}/status", self.child.id()))?.read_to_string(&mut status)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    pub fn stop(&mut self) -> Outcome<()> {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), nix::sys::signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait()
            && let Err(error) = self.stop()
        {
            eprintln!("{error}");
        }
    }
}
