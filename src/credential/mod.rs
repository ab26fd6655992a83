//! `cargo-credential-supercargo`: a credential provider for cargo, with which people log in without copying a token. `cargo login`
//! shows a code, its user allows the request on a page of the registry, and cargo gets a token that is valid for twelve hours and is
//! renewed when it is used.
//!
//! | file | what |
//! |---|---|
//! | `client` | what it asks the registry for |
//! | `main.rs` | the program |
//! | `store` | the file with the tokens |

pub mod client;
mod store;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cargo_credential::{
    Action, CacheControl, Credential, CredentialResponse, Error, LoginOptions, RegistryInfo, Secret,
};

use self::client::{Client, Grant};
use self::store::{Entry, Store};
use crate::admin::output::note;
use crate::config::credential::{CredentialOptions, cargo_home, device_name};

/// A token that is valid for less than this is renewed.
const SOON: Duration = Duration::from_secs(10 * 60);

/// The provider.
pub struct Provider;

impl Credential for Provider {
    fn perform(
        &self,
        registry: &RegistryInfo<'_>,
        action: &Action<'_>,
        arguments: &[&str],
    ) -> Result<CredentialResponse, Error> {
        let options = CredentialOptions::parse(arguments).map_err(Error::from)?;
        let store = Store::open(&cargo_home().map_err(Error::from)?).map_err(Error::from)?;
        match action {
            Action::Get(_) => get(&store, registry, &options),
            Action::Login(login) => log_in(&store, registry, &options, login),
            Action::Logout => log_out(&store, registry, &options),
            _ => Err(Error::OperationNotSupported),
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The token of a registry, renewed if it ends soon.
fn get(store: &Store, registry: &RegistryInfo<'_>, options: &CredentialOptions) -> Result<CredentialResponse, Error> {
    // One process renews: the secret for that works once.
    let mut held = store.lock().map_err(Error::from)?;
    let Some(entry) = held.entry(registry.index_url) else { return Err(Error::NotFound) };
    let entry = if entry.expires_at > now() + SOON.as_secs() {
        entry
    } else {
        let client = Client::at(&entry.api, options.allow_insecure).map_err(Error::from)?;
        match client.renew(&entry.renewal).map_err(Error::from)? {
            Some(grant) => {
                let renewed = entry_of(&entry.api, grant);
                held.put(registry.index_url, Some(renewed.clone())).map_err(Error::from)?;
                renewed
            }
            None => {
                held.put(registry.index_url, None).map_err(Error::from)?;
                return Err(Error::NotFound);
            }
        }
    };
    let expiration =
        i64::try_from(entry.expires_at).ok().and_then(|at| time::OffsetDateTime::from_unix_timestamp(at).ok());
    let cache = expiration.map_or(CacheControl::Session, |expiration| CacheControl::Expires { expiration });
    Ok(CredentialResponse::Get { token: Secret::from(entry.token), cache, operation_independent: true })
}

fn entry_of(api: &str, grant: Grant) -> Entry {
    let expires_at = now() + grant.expires_in;
    Entry { api: api.to_owned(), token: grant.access_token, expires_at, renewal: grant.refresh_token }
}

fn log_in(
    store: &Store,
    registry: &RegistryInfo<'_>,
    options: &CredentialOptions,
    login: &LoginOptions<'_>,
) -> Result<CredentialResponse, Error> {
    if login.token.is_some() {
        let detail = "this provider takes no token: run `cargo login` without one, or use the provider cargo:token for this registry";
        return Err(detail.into());
    }
    let client = Client::of_index(registry.index_url, login.login_url, options.allow_insecure).map_err(Error::from)?;
    let request = client.begin(&options.scopes, &device_name()).map_err(Error::from)?;
    note(&format!(
        "\nTo log in, open this page and allow the request:\n\n    {}\n\nThe page shows the code {}. Waiting…",
        request.verification_uri_complete, request.user_code
    ));
    let grant = client.wait(&request).map_err(Error::from)?;
    let api = client.api().to_owned();
    store.lock().and_then(|mut held| held.put(registry.index_url, Some(entry_of(&api, grant)))).map_err(Error::from)?;
    note("Logged in. The token is renewed when it is used, and ends if it is not used for thirty days.");
    Ok(CredentialResponse::Login)
}

/// Revokes the token. If the registry cannot be reached, it says so, and the token is forgotten here all the same.
fn log_out(
    store: &Store,
    registry: &RegistryInfo<'_>,
    options: &CredentialOptions,
) -> Result<CredentialResponse, Error> {
    let mut held = store.lock().map_err(Error::from)?;
    let Some(entry) = held.entry(registry.index_url) else { return Err(Error::NotFound) };
    let client = Client::at(&entry.api, options.allow_insecure).map_err(Error::from)?;
    let revoked = client.revoke(&entry.token, &entry.renewal);
    held.put(registry.index_url, None).map_err(Error::from)?;
    if let Err(problem) = revoked {
        note(&format!(
            "The token is removed here, and could not be revoked ({problem}): revoke it on {}/me",
            entry.api
        ));
    }
    Ok(CredentialResponse::Logout)
}
