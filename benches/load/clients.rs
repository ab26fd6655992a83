//! Clients: each sends one request after the other on one connection. What they send is made before the time counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::package::body;

/// How a refusal that does not say when to come back is counted.
const NO_RETRY_AFTER: &str = "503 without Retry-After";

/// The address of an API, and a token for it.
type Api<'a> = (&'a str, &'a str);

/// Rate, median and 99th percentile of times.
fn figures(times: &mut [Duration], took: Duration) -> Value {
    times.sort();
    let milliseconds = |place: usize| times.get(place.min(times.len().saturating_sub(1))).map(Duration::as_secs_f64);
    json!({
        "count": times.len(),
        "rate": times.len() as f64 / took.as_secs_f64(),
        "median_ms": milliseconds(times.len() / 2).map(|seconds| seconds * 1000.0),
        "p99_ms": milliseconds(times.len() * 99 / 100).map(|seconds| seconds * 1000.0),
    })
}

/// Runs so many clients at once, and gives the results of all.
fn at_once<T: Send>(clients: usize, client: impl Fn(usize) -> Outcome<T> + Sync) -> Outcome<Vec<T>> {
    let client = &client;
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        running.into_iter().map(|client| client.join().map_err(|_| "a client panicked")?).collect()
    })
}

/// Publishes this version of `count` crates by `clients` at once, each with a file of `bytes`.
pub fn publish(
    api: Api<'_>,
    (prefix, version): (&str, &str),
    clients: usize,
    count: usize,
    bytes: usize,
) -> Outcome<()> {
    let each = (count / clients).max(1);
    let bodies: Vec<Vec<Vec<u8>>> = at_once(clients, |client| {
        (0..each).map(|number| body(&format!("{prefix}{client}x{number}"), version, bytes)).collect()
    })?;
    let begin = Instant::now();
    let times = at_once(clients, |client| send(api, &bodies[client]))?;
    println!("{}", figures(&mut times.concat(), begin.elapsed()));
    Ok(())
}

/// Publishes `count` versions of one crate, one after the other.
pub fn versions(api: Api<'_>, name: &str, first: usize, count: usize) -> Outcome<()> {
    let bodies: Vec<_> =
        (first..first + count).map(|patch| body(name, &format!("1.0.{patch}"), 0)).collect::<Outcome<_>>()?;
    let begin = Instant::now();
    let mut times = send(api, &bodies)?;
    println!("{}", figures(&mut times, begin.elapsed()));
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

/// Publishes new crates by `clients` at once for some time. Refusals and failures are counted by their status, and the
/// client goes on with the next crate at once. The figures are those of the accepted publishes. `tokens` are of users who
/// share the clients, separated by commas.
pub fn overload((api, tokens): Api<'_>, prefix: &str, clients: usize, seconds: f64) -> Outcome<()> {
    let url = format!("{api}/api/v1/crates/new");
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(seconds);
    let tokens: Vec<&str> = tokens.split(',').collect();
    let results = at_once(clients, |client| {
        let token = tokens[client % tokens.len()];
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let (mut times, mut statuses) = (Vec::new(), Vec::new());
        while Instant::now() < end {
            let body = body(&format!("{prefix}{client}x{}", statuses.len()), "1.0.0", 0)?;
            let sent = Instant::now();
            let answer = agent.put(&url).header("authorization", token).send(&body);
            let status = answer.and_then(|mut answer| {
                answer.body_mut().read_to_string()?;
                let says_when = answer.headers().contains_key("retry-after");
                let status = answer.status().as_u16();
                Ok(if status == 503 && !says_when { NO_RETRY_AFTER.to_owned() } else { status.to_string() })
            });
            let status = status.unwrap_or_else(|_| "no answer".to_owned());
            if status == "200" {
                times.push(sent.elapsed());
            }
            statuses.push(status);
        }
        Ok((times, statuses))
    })?;
    let took = begin.elapsed();
    let (times, statuses): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let mut by_status = BTreeMap::new();
    for status in statuses.concat() {
        *by_status.entry(status).or_insert(0) += 1;
    }
    let mut figures = figures(&mut times.concat(), took);
    figures["statuses"] = json!(by_status);
    println!("{figures}");
    Ok(())
}

/// The durable writes of `count` new crates alone, with the same files and lines as publishes of the smallest have.
pub fn floor(data_dir: &Path, prefix: &str, count: usize) -> Outcome<()> {
    let made = |number: usize| {
        let name = format!("{prefix}0x{number}");
        let line = format!(
            "{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"{number:064x}\",\"features\":{{}},\"yanked\":false}}\n"
        );
        Ok((name.clone(), body(&name, "1.0.0", 0)?, line))
    };
    let crates: Vec<_> = (0..count).map(made).collect::<Outcome<_>>()?;
    let begin = Instant::now();
    let mut times = crate::floor::floor(data_dir, crates)?;
    println!("{}", figures(&mut times, begin.elapsed()));
    Ok(())
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
    println!("{}", figures(&mut times, first.elapsed()));
    Ok(())
}

/// Reads the paths of a file in turn for some time, each at most as often as the others and one more.
pub fn get(api: &str, paths: &Path, seconds: f64) -> Outcome<()> {
    let paths = fs::read_to_string(paths)?;
    let urls: Vec<String> = paths.lines().map(|path| format!("{api}{path}")).collect();
    let agent = ureq::Agent::new_with_defaults();
    let mut times = Vec::new();
    let first = Instant::now();
    for url in urls.iter().cycle() {
        let begin = Instant::now();
        agent.get(url).call()?.body_mut().with_config().limit(1 << 30).read_to_vec()?;
        times.push(begin.elapsed());
        if first.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    println!("{}", figures(&mut times, first.elapsed()));
    Ok(())
}
