//! Where the crate files of an upstream are: its `config.json`.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::client::{Answer, Client, FetchError};
use super::settings::UpstreamSettings;
use crate::index::ConfigJson;

/// How long what was read counts.
const COUNTS: Duration = Duration::from_secs(600);

/// What is read of an upstream's `config.json`, whose other keys may be missing.
#[derive(Clone, Debug)]
pub struct Downloads {
    /// The template of the URLs of crate files.
    pub dl: String,
    /// Whether they need the token. Otherwise it is not sent to their host, as cargo does it.
    pub auth_required: bool,
}

impl Downloads {
    fn parse(content: &[u8]) -> Result<Self, String> {
        let read: serde_json::Value = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        let dl = read["dl"].as_str().ok_or("it has no `dl`")?;
        if dl.starts_with("https://") || dl.starts_with("http://") {
            Ok(Self { dl: dl.to_owned(), auth_required: read["auth-required"] == true })
        } else {
            Err(format!("its `dl` is {dl:?}, which is no URL with http:// or https://"))
        }
    }
}

/// What was read last, and when. It is locked while it is requested, which happens once for all who wait.
#[derive(Default)]
pub(super) struct KnownDownloads(Mutex<Option<(Downloads, Instant)>>);

impl KnownDownloads {
    pub(super) async fn current(&self, client: &Client, settings: &UpstreamSettings) -> Result<Downloads, FetchError> {
        let mut known = self.0.lock().await;
        if let Some((downloads, _)) = known.as_ref().filter(|(_, at)| at.elapsed() < COUNTS) {
            return Ok(downloads.clone());
        }
        match (read(client, &settings.index).await, &*known) {
            (Ok(downloads), _) => {
                *known = Some((downloads.clone(), Instant::now()));
                Ok(downloads)
            }
            (Err(error), Some((downloads, _))) => {
                tracing::warn!(upstream = settings.name, %error, "config.json of an upstream cannot be fetched: the former one counts");
                Ok(downloads.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

async fn read(client: &Client, index: &str) -> Result<Downloads, FetchError> {
    let url = format!("{index}{}", ConfigJson::PATH);
    match client.index_file(&url, (None, None)).await? {
        Answer::Sent { content, .. } => {
            Downloads::parse(&content).map_err(|problem| FetchError::Undecodable { url, problem })
        }
        Answer::Absent | Answer::NotModified => Err(FetchError::Undecodable {
            url,
            problem: "there is no such file, so this is no sparse index".to_owned(),
        }),
    }
}
