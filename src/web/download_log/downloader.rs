//! The client of a download, as handlers extract it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::time::timeout;

use super::log::Downloader;
use crate::database::access::caller::Caller;
use crate::database::download_log::Who;
use crate::web::extract::auth::PerhapsAuthenticated;
use crate::web::{App, ClientAddress};

/// How long a public registry looks up a token for the log.
const PATIENCE: Duration = Duration::from_secs(1);

/// A token that is not valid, or cannot be looked up, is none: a download that needs none must not fail for the log.
impl FromRequestParts<App> for Downloader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let log = &app.settings.download_log;
        let client = parts.extensions.get::<ClientAddress>().copied().unwrap_or_default();
        if !log.is_on() {
            return Ok(Self::known(log, None, client, &parts.headers));
        }
        let caller = match timeout(PATIENCE, PerhapsAuthenticated::from_request_parts(parts, app)).await {
            Ok(Ok(PerhapsAuthenticated(caller))) => caller,
            Ok(Err(_)) | Err(_) => {
                tracing::debug!("the token of a download cannot be looked up for the log");
                None
            }
        };
        Ok(Self::known(log, caller.map(who), client, &parts.headers))
    }
}

fn who(caller: Caller) -> Who {
    Who { login: caller.user.login, token_id: caller.token.id, token_name: caller.token.name }
}
