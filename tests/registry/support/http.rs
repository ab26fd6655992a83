//! Requests to a registry that runs in another process.

use serde_json::Value;

use super::package::Package;

/// An answer, read to its end, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Seconds of the header `Retry-After`.
    pub retry_after: Option<u64>,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    /// Asserts success.
    pub fn good(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }

    /// The value of a header, which is there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        found.to_str().unwrap()
    }

    /// What a publish has to add; empty if the index shows the version already.
    pub fn advice(&self) -> Vec<String> {
        serde_json::from_value(self.json()["warnings"]["other"].clone()).unwrap()
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn read(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut response = response.unwrap();
    let retry_after = response.headers().get("retry-after").map(|after| after.to_str().unwrap().parse().unwrap());
    let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
    Reply { status: response.status().as_u16(), retry_after, headers: response.headers().clone(), body }
}

pub fn get(url: &str) -> Reply {
    read(agent().get(url).call())
}

/// With more headers.
pub fn get_with(url: &str, headers: &[(&str, &str)]) -> Reply {
    read(headers.iter().fold(agent().get(url), |request, (name, value)| request.header(*name, *value)).call())
}

pub fn head(url: &str) -> Reply {
    read(agent().head(url).call())
}

/// A page, as a browser asks for it.
pub fn get_page(url: &str) -> Reply {
    read(agent().get(url).header("accept", "text/html").call())
}

/// A part of something, as in `bytes=0-9`.
pub fn get_part(url: &str, range: &str) -> Reply {
    read(agent().get(url).header("range", range).call())
}

/// A header of the answer to a request with these headers.
pub fn header(url: &str, headers: &[(&str, &str)], name: &str) -> Option<String> {
    let request = headers.iter().fold(agent().get(url), |request, (name, value)| request.header(*name, *value));
    request.call().unwrap().headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

pub fn get_as(url: &str, token: &str) -> Reply {
    read(agent().get(url).header("authorization", token).call())
}

pub fn delete_as(url: &str, token: &str) -> Reply {
    read(agent().delete(url).header("authorization", token).call())
}

pub fn put_as(url: &str, token: &str) -> Reply {
    read(agent().put(url).header("authorization", token).send_empty())
}

pub fn put_json_as(url: &str, token: &str, body: &Value) -> Reply {
    let request = agent().put(url).header("authorization", token).header("content-type", "application/json");
    read(request.send(body.to_string()))
}

pub fn post_json_as(url: &str, token: &str, body: &Value) -> Reply {
    let request = agent().post(url).header("authorization", token).header("content-type", "application/json");
    read(request.send(body.to_string()))
}

pub fn patch_json_as(url: &str, token: &str, body: &Value) -> Reply {
    let request = agent().patch(url).header("authorization", token).header("content-type", "application/json");
    read(request.send(body.to_string()))
}

pub fn put_bytes_as(url: &str, token: &str, body: &[u8]) -> Reply {
    read(agent().put(url).header("authorization", token).send(body))
}

pub fn publish(base_url: &str, token: &str, package: &Package) -> Reply {
    let request = agent().put(format!("{base_url}/api/v1/crates/new")).header("authorization", token);
    read(request.send(&package.body()))
}

/// The same with more headers.
pub fn publish_with(base_url: &str, token: &str, package: &Package, headers: &[(&str, &str)]) -> Reply {
    let request = agent().put(format!("{base_url}/api/v1/crates/new")).header("authorization", token);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    read(request.send(&package.body()))
}

/// The lines of a crate's file in the sparse index; none if it is not there.
pub fn index_lines(base_url: &str, path: &str) -> Vec<Value> {
    let reply = get(&format!("{base_url}/index/{path}"));
    if reply.status == 404 {
        return Vec::new();
    }
    reply.good().text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
