//! What the provider asks the registry for.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use url::Url;

use crate::admin::output::note;
use crate::config::credential::ca_file;
use crate::oidc::http::is_safe;
use crate::package::characters::plain;
use crate::upstream::{tls, tls_with};

const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;
const CLIENT: &str = "cargo-credential-supercargo";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A request that waits for its user.
#[derive(Deserialize)]
pub struct DeviceRequest {
    device_code: String,
    pub user_code: String,
    pub verification_uri_complete: String,
    expires_in: u64,
    #[serde(default)]
    interval: u64,
}

/// A token.
#[derive(Deserialize)]
pub struct Grant {
    pub access_token: String,
    pub expires_in: u64,
    pub refresh_token: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    detail: String,
}

#[derive(Deserialize)]
struct ConfigJson {
    api: String,
}

/// A registry.
pub struct Client {
    agent: ureq::Agent,
    /// Its URL, without a slash at the end.
    api: String,
}

fn agent() -> Result<ureq::Agent, String> {
    Ok(ureq::Agent::config_builder()
        .tls_config(tls_config()?)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("cargo-credential-supercargo/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(TIMEOUT))
        .build()
        .into())
}

/// The authorities that cargo trusts as well.
pub fn tls_config() -> Result<TlsConfig, String> {
    match ca_file()? {
        None => Ok(tls()),
        Some(file) => trusting(&file).map_err(|problem| format!("http.cainfo, {}: {problem}", file.display())),
    }
}

/// Trusts the authorities in a file instead of the system's, as cargo does.
fn trusting(file: &Path) -> Result<TlsConfig, String> {
    let pem = std::fs::read(file).map_err(|error| error.to_string())?;
    let mut authorities = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| error.to_string())? {
            authorities.push(certificate);
        }
    }
    if authorities.is_empty() {
        return Err("it has no certificate in the format PEM".to_owned());
    }
    Ok(tls_with(RootCerts::Specific(Arc::new(authorities))))
}

fn read<T: DeserializeOwned>(answer: &mut Response<Body>) -> serde_json::Result<T> {
    serde_json::from_reader(answer.body_mut().as_reader().take(MAX_ANSWER))
}

impl Client {
    /// The registry at a URL.
    pub fn at(api: &str, allow_insecure: bool) -> Result<Self, String> {
        let api = api.trim_end_matches('/');
        let url = Url::parse(api).map_err(|error| format!("{api:?} is no URL of a registry: {error}"))?;
        if !is_safe(&url) && !allow_insecure {
            return Err(format!(
                "{api} is not https: others on the way could read the token. Use https, or give --allow-insecure to the provider"
            ));
        }
        Ok(Self { agent: agent()?, api: api.to_owned() })
    }

    /// The registry with this index. A private one says where it is with `login_url`.
    pub fn of_index(index: &str, login_url: Option<&str>, allow_insecure: bool) -> Result<Self, String> {
        if let Some(api) = login_url.and_then(|url| url.strip_suffix("/me")) {
            return Self::at(api, allow_insecure);
        }
        let sparse = index.strip_prefix("sparse+").ok_or_else(|| {
            format!("{index} is no sparse index: write the index of this registry as sparse+https://HOST/index/")
        })?;
        let url = format!("{}/config.json", sparse.trim_end_matches('/'));
        let mut answer = agent()?.get(&url).call().map_err(|error| format!("{url}: {error}"))?;
        if answer.status() == 200 {
            let config: ConfigJson = read(&mut answer).map_err(|error| format!("{url}: {error}"))?;
            return Self::at(&config.api, allow_insecure);
        }
        let challenge =
            answer.headers().get("www-authenticate").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let api =
            challenge.split_once("login_url=\"").and_then(|(_, rest)| rest.split('"').next()?.strip_suffix("/me"));
        match api {
            Some(api) => Self::at(api, allow_insecure),
            None => Err(format!("{url} answered {}: is this a registry of supercargo?", answer.status())),
        }
    }

    pub fn api(&self) -> &str {
        &self.api
    }

    /// Asks for a token.
    pub fn begin(&self, scopes: &[String], device: &str) -> Result<DeviceRequest, String> {
        let scope = scopes.join(" ");
        let form = [("client_id", CLIENT), ("scope", &scope), ("device_name", device)];
        self.post("/api/v1/oauth/device", &form)?.map_err(|refusal| self.explained(&refusal))
    }

    /// Waits until the user has decided.
    pub fn wait(&self, request: &DeviceRequest) -> Result<Grant, String> {
        let until = Instant::now() + Duration::from_secs(request.expires_in);
        let mut pause = Duration::from_secs(request.interval.max(1));
        while Instant::now() < until {
            sleep(pause);
            let form = [("grant_type", DEVICE_CODE), ("client_id", CLIENT), ("device_code", &request.device_code)];
            match self.post::<Grant>("/api/v1/oauth/token", &form) {
                Ok(Ok(grant)) => return Ok(grant),
                Ok(Err(refusal)) => match &*refusal.error {
                    "authorization_pending" => {}
                    // Source: RFC 8628, section 3.5.
                    "slow_down" => pause += Duration::from_secs(5),
                    _ => return Err(self.explained(&refusal)),
                },
                // The registry may be restarted meanwhile.
                Err(problem) => note(&format!("{problem}: trying again")),
            }
        }
        Err("the request was not allowed in time: run `cargo login` again".to_owned())
    }

    /// Renews a token; None if it cannot be renewed any more.
    pub fn renew(&self, renewal: &str) -> Result<Option<Grant>, String> {
        let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", renewal)];
        match self.post("/api/v1/oauth/token", &form)? {
            Ok(grant) => Ok(Some(grant)),
            Err(refusal) if refusal.error == "invalid_grant" => Ok(None),
            Err(refusal) => Err(self.explained(&refusal)),
        }
    }

    /// Revokes a token, which is renewed first if it has expired. One that is not valid any more counts as revoked.
    pub fn revoke(&self, token: &str, renewal: &str) -> Result<(), String> {
        match self.delete(token)? {
            204 => return Ok(()),
            401 | 403 => {}
            status => return Err(format!("{} answered {status}", self.api)),
        }
        let Some(grant) = self.renew(renewal)? else { return Ok(()) };
        match self.delete(&grant.access_token)? {
            204 => Ok(()),
            status => Err(format!("{} answered {status}", self.api)),
        }
    }

    fn delete(&self, token: &str) -> Result<u16, String> {
        let url = format!("{}/api/v1/tokens/current", self.api);
        let answer = self.agent.delete(&url).header("authorization", token).call();
        answer.map(|answer| answer.status().as_u16()).map_err(|error| format!("{url}: {error}"))
    }

    /// Sends a form: the answer, or why it is refused.
    fn post<T: DeserializeOwned>(&self, path: &str, form: &[(&str, &str)]) -> Result<Result<T, Refusal>, String> {
        let url = format!("{}{path}", self.api);
        let mut answer =
            self.agent.post(&url).send_form(form.iter().copied()).map_err(|error| format!("{url}: {error}"))?;
        let status = answer.status();
        let unreadable = |error| format!("{url} answered {status}: {error}");
        if status == 200 {
            return read(&mut answer).map(Ok).map_err(unreadable);
        }
        if status.is_server_error() || status == 429 {
            return Err(format!("{url} answered {status}"));
        }
        read(&mut answer).map(Err).map_err(unreadable)
    }

    fn explained(&self, refusal: &Refusal) -> String {
        let said = refusal.errors.first().map_or(&refusal.error_description, |error| &error.detail);
        format!("{}: {}", self.api, plain(said))
    }
}
