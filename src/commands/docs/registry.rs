//! The registry that requests are sent to, and the token that they have.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Body, SendBody};
use url::Url;

use crate::config::{RemoteOptions, credential, here, index_in_environment, token_in_environment, url_in_environment};
use crate::credential::client::{Client, tls_config};
use crate::oidc::http::is_safe;
use crate::package::characters::plain;
use crate::process::CommandError;

/// The time limit for connecting, and for the answer after the body was sent. The body may take as long as it arrives.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;

/// A registry.
pub(super) struct Registry {
    agent: ureq::Agent,
    url: String,
    token: String,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    detail: String,
}

/// A file of cargo's configuration, or of its credentials.
#[derive(Deserialize, Default)]
struct CargoFile {
    #[serde(default)]
    registries: std::collections::BTreeMap<String, Named>,
}

#[derive(Deserialize, Default)]
struct Named {
    index: Option<String>,
    token: Option<String>,
}

impl Registry {
    /// Finds the registry, and a token for it. `usual` is its name if none is given.
    pub fn find(options: &RemoteOptions, usual: Option<&str>) -> Result<Self, CommandError> {
        let in_environment = || options.registry.is_none().then(url_in_environment).flatten();
        let given = options.url.clone().or_else(in_environment);
        let name = options.registry.as_deref().or(usual.filter(|_| given.is_none()));
        let url = match (given, name) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(name)) => url_of(name, options.allow_insecure_token)?,
            (None, None) => {
                return Err(CommandError::new(
                    "which registry is not known: give --registry with its name in cargo's configuration, or --url",
                ));
            }
        };
        let parsed =
            Url::parse(&url).map_err(|error| CommandError::while_doing(format!("{url:?} is no URL"), error))?;
        if !is_safe(&parsed) && !options.allow_insecure_token {
            return Err(CommandError::new(format!(
                "{url} is not https, and others on the way could read the token: use https, or give --allow-insecure-token"
            )));
        }
        let agent = ureq::Agent::config_builder()
            .tls_config(tls_config().map_err(CommandError::new)?)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("supercargo/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .build();
        Ok(Self { agent: agent.into(), url, token: token(options, name)? })
    }

    /// Sends a body of this many bytes to a path below the API.
    pub fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Option<(&str, &str)>,
        content: impl Read,
        size: u64,
        sent: impl FnMut(u64),
    ) -> Result<T, CommandError> {
        let query = query.map(|(name, value)| format!("?{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        let url = format!("{}/api/v1/{path}{}", self.url, query.unwrap_or_default());
        let mut counted = Counted { content, sent };
        let request = self.agent.put(&url).header("authorization", &self.token);
        let request = request.header("content-type", "application/zip").header("content-length", size.to_string());
        read(&url, request.send(SendBody::from_reader(&mut counted)))
    }

    /// Deletes what is at a path below the API.
    pub fn delete(&self, path: &str) -> Result<(), CommandError> {
        let url = format!("{}/api/v1/{path}", self.url);
        let request = self.agent.delete(&url).header("authorization", &self.token);
        read::<serde_json::Value>(&url, request.call()).map(drop)
    }
}

fn read<T: DeserializeOwned>(url: &str, answer: Result<Response<Body>, ureq::Error>) -> Result<T, CommandError> {
    let mut answer = answer.map_err(|error| CommandError::while_doing(format!("no answer from {url}"), error))?;
    let (status, body) = (answer.status(), answer.body_mut().as_reader().take(MAX_ANSWER));
    if status == 200 {
        return serde_json::from_reader(body)
            .map_err(|error| CommandError::while_doing(format!("{url} gave an answer that cannot be read"), error));
    }
    let refusal: Refusal = serde_json::from_reader(body).unwrap_or_default();
    let text = refusal.errors.first().map_or("is this a registry of supercargo?", |error| &*error.detail);
    Err(CommandError::new(format!("{url} answered {status}: {}", plain(text))))
}

/// The URL of a registry of cargo's configuration.
fn url_of(name: &str, allow_insecure: bool) -> Result<String, CommandError> {
    let index = match index_in_environment(name) {
        Some(index) => index,
        None => in_files(name, &["config.toml", "config"], |named| named.index)?.ok_or_else(|| {
            let variable = name.to_uppercase().replace('-', "_");
            CommandError::new(format!(
                "cargo's configuration has no registry {name:?}: add its index, set CARGO_REGISTRIES_{variable}_INDEX, or give --url"
            ))
        })?,
    };
    Ok(Client::of_index(&index, None, allow_insecure).map_err(CommandError::new)?.api().to_owned())
}

fn token(options: &RemoteOptions, name: Option<&str>) -> Result<String, CommandError> {
    let token = match &options.token_file {
        Some(file) => {
            let failed =
                |error| CommandError::while_doing(format!("--token-file: cannot read {}", file.display()), error);
            Some(std::fs::read_to_string(file).map_err(failed)?.trim().to_owned())
        }
        None => match (token_in_environment(name), name) {
            (Some(token), _) => Some(token),
            (None, Some(name)) => in_files(name, &["credentials.toml", "credentials"], |named| named.token)?,
            (None, None) => None,
        },
    };
    let usable =
        |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    token.filter(usable).ok_or_else(|| {
        CommandError::new(
            "there is no token: give --token-file, or set SUPERCARGO_TOKEN. It needs the scope publish-docs",
        )
    })
}

/// What the nearest file of cargo says of a registry.
fn in_files(
    name: &str,
    files: &[&str],
    value: impl Fn(Named) -> Option<String>,
) -> Result<Option<String>, CommandError> {
    let home = credential::cargo_home().map_err(CommandError::new)?;
    let here = here()?;
    let near = here.ancestors().map(|directory| directory.join(".cargo"));
    for directory in near.chain([home]) {
        let Some(file) = files.iter().map(|file| directory.join(file)).find(|file| file.is_file()) else { continue };
        if let Some(found) = parsed(&file)?.registries.remove(name).and_then(&value) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn parsed(file: &PathBuf) -> Result<CargoFile, CommandError> {
    let text = std::fs::read_to_string(file).map_err(|error| CommandError::while_doing(file.display(), error))?;
    // The text of the error would show a line of the file, which may have a token.
    toml::from_str(&text).map_err(|error| CommandError::new(format!("{}: {}", file.display(), plain(error.message()))))
}

/// A body that reports what was sent of it.
struct Counted<R, F> {
    content: R,
    sent: F,
}

impl<R: Read, F: FnMut(u64)> Read for Counted<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.content.read(buffer)?;
        (self.sent)(length as u64);
        Ok(length)
    }
}
