//! Clients: each sends one request after the other on one connection. What they send is made before the time counts.

use std::time::{Duration, Instant};

use crate::Outcome;

/// The address of an API, and a token for it.
type Api<'a> = (&'a str, &'a str);

/// Prints rate, median and 99th percentile as JSON.
fn print(times: &mut [Duration], took: Duration) {
    times.sort();
    let milliseconds = |place: usize| times[place.min(times.len() - 1)].as_secs_f64() * 1000.0;
    let rate = times.len() as f64 / took.as_secs_f64();
    println!(
        "{{\"count\": {}, \"rate\": {rate:.1}, \"median_ms\": {:.3}, \"p99_ms\": {:.3}, \"max_ms\": {:.3}}}",
        times.len(),
        milliseconds(times.len() / 2),
        milliseconds(times.len() * 99 / 100),
        milliseconds(times.len() - 1)
    );
}

/// Publishes `count` new crates by `clients` at once.
pub fn publish(api: Api<'_>, prefix: &str, clients: usize, count: usize, bytes: usize) -> Outcome<()> {
    let each = count / clients;
    let bodies = (0..clients)
        .map(|client| (0..each).map(|number| body(&format!("{prefix}{client}x{number}"), bytes)).collect())
        .collect::<Outcome<Vec<Vec<_>>>>()?;
    let begin = Instant::now();
    let times = std::thread::scope(|scope| {
        let running: Vec<_> = bodies.into_iter().map(|bodies| scope.spawn(move || send(api, &bodies))).collect();
        running.into_iter().map(|client| client.join().map_err(|_| "a client panicked")?).collect::<Outcome<Vec<_>>>()
    })?;
    let took = begin.elapsed();
    print(&mut times.concat(), took);
    Ok(())
}

fn send((api, token): Api<'_>, bodies: &[Vec<u8>]) -> Outcome<Vec<Duration>> {
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("{api}/api/v1/crates/new");
    let mut times = Vec::new();
    for body in bodies {
        let begin = Instant::now();
        // Refusals are errors of the call.
        agent.put(&url).header("authorization", token).send(body)?.body_mut().read_to_string()?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

/// The body of a publish of a new crate, with a file of this size that does not compress.
fn body(name: &str, bytes: usize) -> Outcome<Vec<u8>> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n"
    );
    let mut noise = vec![0; bytes];
    rand::fill(&mut noise[..]);
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let files = [("Cargo.toml", manifest.as_bytes()), ("src/lib.rs", &b"//! A crate.\n"[..]), ("noise", &noise)];
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}-1.0.0/{path}"), content)?;
    }
    let crate_file = archive.into_inner()?.finish()?;
    let metadata = format!(
        "{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"features\":{{}},\"authors\":[],\"description\":\"x\",\
         \"license\":\"MIT\",\"keywords\":[],\"categories\":[],\"badges\":{{}}}}"
    );
    let mut body = Vec::new();
    for part in [metadata.as_bytes(), &crate_file] {
        body.extend(u32::try_from(part.len())?.to_le_bytes());
        body.extend(part);
    }
    Ok(body)
}

/// Yanks and unyanks a version by turns.
pub fn yank((api, token): Api<'_>, name: &str, version: &str, count: usize) -> Outcome<()> {
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("{api}/api/v1/crates/{name}/{version}");
    let mut times = Vec::new();
    let first = Instant::now();
    for number in 0..count {
        let begin = Instant::now();
        let mut answer = if number % 2 == 0 {
            agent.delete(format!("{url}/yank")).header("authorization", token).call()?
        } else {
            agent.put(format!("{url}/unyank")).header("authorization", token).send_empty()?
        };
        answer.body_mut().read_to_string()?;
        times.push(begin.elapsed());
    }
    print(&mut times, first.elapsed());
    Ok(())
}

/// Reads a URL again and again.
pub fn get(url: &str, count: usize) -> Outcome<()> {
    let agent = ureq::Agent::new_with_defaults();
    let mut times = Vec::new();
    let first = Instant::now();
    for _ in 0..count {
        let begin = Instant::now();
        agent.get(url).call()?.body_mut().with_config().limit(1 << 30).read_to_vec()?;
        times.push(begin.elapsed());
    }
    print(&mut times, first.elapsed());
    Ok(())
}
