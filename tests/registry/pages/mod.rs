//! The pages for people, a file an area. What a browser makes of them is tested elsewhere.

mod administration;
mod errors;
mod feeds;
mod forms;
mod home;
mod hostile;
mod krate;
mod markup;
mod queue;
mod queue_changes;
mod release_sets;
mod removing_users;
mod reserved_names;
mod searching;
mod sessions;
mod status;
mod status_live;
mod teams;
mod versions;

use axum::body::Body;
use axum::http::{Method, Request};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::package::Package;

/// Somebody who looks at pages in a browser.
pub struct Browser<'a> {
    client: Client<'a>,
    pub cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub fn new(registry: &'a TestRegistry) -> Self {
        Self { client: registry.anonymous(), cookies: Vec::new() }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty())
    }

    /// Sends a form, as a page of this host does.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, form.into())
    }

    /// Signs in with a token, by the form.
    pub fn sign_in(&mut self, token: &str) -> Answer {
        let form = self.get("/sign-in").good().text();
        self.post("/sign-in", &[("form_token", &field(&form, "form_token")), ("to", "/me"), ("token", token)])
    }

    fn send(&mut self, method: Method, path: &str, body: Body) -> Answer {
        let request = Request::builder().method(method).uri(path).header("accept", "text/html,*/*;q=0.8");
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("cookie", pairs.join("; ")).header("sec-fetch-site", "same-origin");
        let answer = self.client.send(request.body(body).unwrap());
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            let value = rest.split(';').next().unwrap();
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }
}

/// The value of a hidden field.
pub fn field(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    html.split_once(&start).unwrap_or_else(|| panic!("no {name}: {html}")).1.split('"').next().unwrap().to_owned()
}

/// A page, which has to be there.
pub fn page(registry: &TestRegistry, path: &str) -> String {
    Browser::new(registry).get(path).good().text()
}

/// A page with the marks of code and of names as people read them.
pub fn said(html: &str) -> String {
    html.replace("<bdi>", "").replace("</bdi>", "").replace("<code>", "`").replace("</code>", "`")
}

/// A package with a README.
pub fn with_readme(name: &str, version: &str, readme: &str) -> Package {
    let package = Package::new(name, version).manifest("readme = \"README.md\"\n").file("README.md", readme.as_bytes());
    package.metadata("readme", readme.into()).metadata("readme_file", "README.md".into())
}
