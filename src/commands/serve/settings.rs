//! What the options of `serve` mean for the HTTP service.

use std::num::NonZeroU32;

use axum::http::HeaderValue;

use crate::advisory::draft::Origin;
use crate::config::{
    AccessOptions, CorsOrigin, DocsOptions, DownloadRedirectOptions, IdentityProvider, Redirect, ServeOptions,
    SignInWay, WhoMayCreate,
};
use crate::database::access::rate_limits::RateLimits;
use crate::database::access::teams::check_name;
use crate::database::access::upload_allowance::UploadAllowance;
use crate::index::ConfigJson;
use crate::jobs::{Admission, NewCrates};
use crate::oidc::http::check_issuer;
use crate::own_advisories::repository::Repository;
use crate::package::RegistryUrls;
use crate::process::download_log;
use crate::process::open_files;
use crate::process::server::Listener;
use crate::process::storage::git_program;
use crate::process::{CommandError, Storage, upstreams};
use crate::web::advisory_repository::AdvisoryRepository;
use crate::web::answers::crate_file::DownloadRedirect;
use crate::web::{
    AddressRequests, Backlog, DocsSettings, Settings, SharedWith, SignInWays, SourceWork, StatusStreams,
    TrustedProxies, Uploads, name_in,
};

/// Where clients find the registry.
pub(super) struct Place<'a> {
    pub base_url: &'a str,
    pub scheme: &'static str,
    pub config_json: ConfigJson,
}

/// The connections that there may be.
pub(super) struct Connections {
    pub max: u32,
    pub per_address: u32,
    pub trusted_proxies: TrustedProxies,
    pub status_streams: StatusStreams,
}

impl Connections {
    pub fn of(options: &ServeOptions) -> Self {
        let max = options.http.max_connections.map_or_else(open_files::connections_by_limit, NonZeroU32::get);
        let per_address = options.http.per_address(max);
        let trusted_proxies = TrustedProxies::new(&options.http.trusted_proxies);
        let status_streams = StatusStreams::beside(max, per_address, trusted_proxies.clone());
        Self { max, per_address, trusted_proxies, status_streams }
    }
}

/// The settings of the HTTP service.
pub(super) fn settings(
    options: &ServeOptions,
    storage: &Storage,
    place: &Place<'_>,
    connections: &Connections,
    listener: &Listener,
) -> Result<Settings, CommandError> {
    let trusted_proxies = connections.trusted_proxies.clone();
    Ok(Settings {
        urls: registry_urls(options, place.base_url, place.scheme, listener),
        base_url: place.base_url.to_owned(),
        limits: options.limits(),
        admission: admission(&options.access, options.throwaway)?,
        auth_required: options.access.auth_required,
        shared_with: shared_with(options)?,
        policy: options.policy.policy(options.access.auth_required),
        publish_wait: options.publish_wait,
        address_requests: AddressRequests::new(connections.per_address, trusted_proxies.clone()),
        uploads: Uploads::new(options.http.max_upload_memory, storage.data_dir.path().to_owned()),
        backlog: Backlog::new(options.max_pending_jobs),
        source_cache: (storage.data_dir.source_cache(), options.http.source_cache_size),
        source_work: SourceWork::usual(trusted_proxies.clone()),
        sign_in: sign_in_ways(&options.access)?,
        sends_mail: options.work.email.both().is_some(),
        upstreams: upstreams::start(options, storage, place.base_url)?,
        download_log: download_log::of(&options.download_log, options.access.auth_required),
        download_redirect: download_redirect(&options.download_redirect),
        docs: docs_settings(&options.docs, place.base_url)?,
        advisories: Some(advisories(options, storage, place.base_url)),
        status_streams: connections.status_streams.clone(),
        trusted_proxies,
    })
}

fn download_redirect(options: &DownloadRedirectOptions) -> Option<DownloadRedirect> {
    Some(match options.download_redirect.clone()? {
        Redirect::Presigned => DownloadRedirect::Presigned(options.download_redirect_expiry),
        Redirect::Public(url) => DownloadRedirect::Public(url),
    })
}

/// The settings of documentation. Browsers send cookies to every port of a host name.
fn docs_settings(options: &DocsOptions, base_url: &str) -> Result<DocsSettings, CommandError> {
    let url = options.docs_url.clone();
    if let Some(url) = url.as_ref().filter(|url| name_in(url).eq_ignore_ascii_case(name_in(base_url))) {
        return Err(CommandError::new(format!(
            "--docs-url {url} has the host name of the registry ({base_url}): use another host name, or leave --docs-url out"
        )));
    }
    Ok(DocsSettings { url, limits: options.limits() })
}

/// The git repository of the advisories about crates of this registry.
fn advisories(options: &ServeOptions, storage: &Storage, base_url: &str) -> AdvisoryRepository {
    let (path, git) = (storage.data_dir.advisory_repository(), git_program(&options.storage));
    AdvisoryRepository::new(Repository::at(path, git, Origin::of(base_url)))
}

/// Admission rules. A temporary registry has only the given rate limits, because tests publish as fast as they can.
pub fn admission(options: &AccessOptions, throwaway: bool) -> Result<Admission, CommandError> {
    let before = throwaway.then_some("none");
    let rate_limits = RateLimits::configured(before.into_iter().chain(options.rate_limits.iter().map(String::as_str)));
    Ok(Admission {
        new_crates: match options.new_crates {
            WhoMayCreate::Anyone => NewCrates::Anyone,
            WhoMayCreate::Admins => NewCrates::Admins,
        },
        owner_invitations: options.owner_invitations,
        rate_limits: rate_limits.map_err(|error| CommandError::new(format!("--rate-limit: {error}")))?,
        upload_allowance: Some(options.upload_allowance).filter(|bytes| *bytes > 0).map(UploadAllowance),
        crate_deletion_window: options.crate_deletion_window,
    })
}

/// How people sign in. Files of providers are read again for the settings, which changes nothing if they have not changed.
pub fn sign_in_ways(options: &AccessOptions) -> Result<SignInWays, CommandError> {
    let has = |way| options.sign_in_with.contains(&way);
    if has(SignInWay::None) && options.sign_in_with.len() > 1 {
        return Err(CommandError::new(
            "--sign-in-with: `none` and other ways exclude each other: give one or the other",
        ));
    }
    let providers = IdentityProvider::read_all(&options.identity_providers);
    let providers = providers.map_err(|problem| CommandError::new(format!("--identity-provider: {problem}")))?;
    for provider in &providers {
        let file = provider.file.display();
        check_issuer(&provider.issuer)
            .map_err(|wrong| CommandError::new(format!("--identity-provider: {file}: issuer: {wrong}")))?;
        for team in provider.teams.values() {
            check_name(team)
                .map_err(|wrong| CommandError::new(format!("--identity-provider: {file}: teams: {wrong}")))?;
        }
    }
    if providers.is_empty() && has(SignInWay::None) {
        return Err(CommandError::new(
            "--sign-in-with none: no user could sign in on the pages, since there is no --identity-provider",
        ));
    }
    Ok(SignInWays { providers, password: has(SignInWay::Password), token: has(SignInWay::Token) })
}

/// The origins whose web pages may read: every one by default, none of a private registry.
fn shared_with(options: &ServeOptions) -> Result<SharedWith, CommandError> {
    let one = |origin: &CorsOrigin| match origin {
        CorsOrigin::One(origin) => Some(HeaderValue::try_from(origin)),
        CorsOrigin::Every | CorsOrigin::None => None,
    };
    Ok(match options.cors.cors_origins.first() {
        None if options.access.auth_required => SharedWith::Nobody,
        Some(CorsOrigin::None) => SharedWith::Nobody,
        None | Some(CorsOrigin::Every) => SharedWith::Everyone,
        Some(CorsOrigin::One(_)) => {
            let origins: Result<_, _> = options.cors.cors_origins.iter().filter_map(one).collect();
            SharedWith::Origins(origins.map_err(|error| CommandError::while_doing("--cors-origin".to_owned(), error))?)
        }
    })
}

/// The URLs by which crates may refer to this registry.
fn registry_urls(options: &ServeOptions, base_url: &str, scheme: &str, listener: &Listener) -> RegistryUrls {
    let addresses = listener.addresses().iter().map(ToString::to_string);
    let local: Vec<String> = addresses.chain([listener.authority()]).map(|one| format!("{scheme}://{one}")).collect();
    let others = local.iter().chain(&options.url_aliases).map(String::as_str);
    RegistryUrls::new([base_url].into_iter().chain(others))
}
