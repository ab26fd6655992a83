//! `GET /sign-in/with/{provider}` leads to an identity provider, and `GET /sign-in/from/{provider}` is where that leads back to.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use diesel::{Connection, PgConnection};

use super::flow::{Begun, Kept, LONGEST, Purpose};
use super::password::{client_block, too_often};
use super::session::{arrival, begun};
use super::{again, form};
use crate::config::{ExistingUsers, NewUsers};
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Caller;
use crate::database::access::sessions::{self, SessionSecret};
use crate::database::sign_in::attempts::Attempt;
use crate::database::sign_in::begin::Offer;
use crate::database::sign_in::links::LinkSecret;
use crate::database::sign_in::refusal::SignInRefusal;
use crate::oidc::mapping::{Mapped, MappingError};
use crate::oidc::provider::{Answer, Provider, ProviderError};
use crate::web::extract::path::ApiPath;
use crate::web::extract::query::QueryParameters;
use crate::web::measures::reason;
use crate::web::pages::cookies;
use crate::web::pages::entrance::refresh_to;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// The parameter of the second request for the same: see [`finish`].
const ONCE_MORE: &str = "once_more";
/// The longest path that a sign-in leads to, which has to find place in a cookie.
const LONGEST_PATH: usize = 1500;

/// `GET /sign-in/with/{provider}`.
pub async fn begin(
    State(app): State<App>,
    visit: Visit,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let purpose = if query.flag("again")? == Some(true) { Purpose::Again } else { Purpose::SignIn };
    let to = query.get("to").unwrap_or_default();
    match start(&app, &visit, (&name, purpose, to)).await {
        Ok((url, cookie)) => {
            let headers = [(header::LOCATION, url), (header::CACHE_CONTROL, "no-store".to_owned())];
            let mut response = (StatusCode::SEE_OTHER, headers).into_response();
            response.headers_mut().append(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(failed) => failed_with(&app, &visit, to, failed),
    }
}

/// The answer to a form that gives an account to a user: the page that leads to the provider. A redirect would be the form's, which may
/// only lead to this host.
async fn lead(app: &App, visit: &Visit, (name, purpose, to): (&str, Purpose, &str)) -> Result<Response, ApiError> {
    let (url, cookie) = start(app, visit, (name, purpose, to)).await?;
    let mut response = refresh_to(&url);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Connects an account with the user of the session.
pub async fn connect(app: &App, visit: &Visit, name: &str, to: &str) -> Result<Response, ApiError> {
    lead(app, visit, (name, Purpose::Connect, to)).await
}

/// Connects an account with the user of a link, who signs in with it.
pub(super) async fn use_link(app: &App, visit: &Visit, (name, code): (&str, &str)) -> Result<Response, ApiError> {
    lead(app, visit, (name, Purpose::Link(code.to_owned()), "/me")).await
}

async fn start(
    app: &App,
    visit: &Visit,
    (name, purpose, to): (&str, Purpose, &str),
) -> Result<(String, axum::http::HeaderValue), ApiError> {
    let provider = find(app, name)?.clone();
    let to = if to.len() <= LONGEST_PATH { to } else { "/" };
    let (of_session, again) = (purpose.is_of_session(), purpose == Purpose::Again);
    let Kept { cookie, value, flow } = Begun::new(name, purpose, to).keep(visit.links())?;
    if of_session {
        let Some(secret) = visit.session().cloned() else { return Err(session_ended()) };
        app.with_connection(move |connection| sessions::begin_flow(connection, &secret, &value)).await?;
    }
    let url = app.waiting_for_others(move |_| Ok(provider.authorization_url(&flow, again)?)).await?;
    Ok((url, cookie))
}

fn find<'a>(app: &'a App, name: &str) -> Result<&'a Provider, ApiError> {
    let found = app.providers.iter().find(|provider| provider.settings.name == name);
    found
        .ok_or_else(|| ApiError::not_found("this registry has no identity provider of this name: begin at the sign-in"))
}

/// `GET /sign-in/from/{provider}`.
///
/// The provider's page leads here, and a browser sends no cookie with a request that another site has caused. So the first answer
/// is a page that asks for the same once more.
pub async fn finish(
    State(app): State<App>,
    visit: Visit,
    ApiPath(name): ApiPath<String>,
    query: QueryParameters,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    let provider = find(&app, &name)?.clone();
    let state = query.get("state").unwrap_or_default();
    let Some((sign_in, flow, value)) = Begun::find(visit.links(), visit.headers(), (&name, state)) else {
        if query.get(ONCE_MORE).is_none() && cookies::flow(visit.links(), visit.headers()).is_none() {
            return Ok(once_more(&visit, &parts));
        }
        let detail = "this sign-in has ended already, took longer than half an hour, or was begun in another browser: begin again";
        return failed_with(&app, &visit, "", ApiError::new(StatusCode::FORBIDDEN, detail).because(reason::SIGN_IN));
    };
    let mut again_since = None;
    if sign_in.purpose.is_of_session() {
        let Some(secret) = visit.session().cloned() else { return Err(session_ended()) };
        let begun = app.with_connection(move |connection| {
            connection.transaction(|connection| sessions::end_flow(connection, &secret, &value, LONGEST))
        });
        let Some(at) = begun.await? else { return Err(not_begun_here()) };
        again_since = (sign_in.purpose == Purpose::Again).then_some(at);
    }
    let text = |name| query.get(name).map(str::to_owned);
    let (error, error_description) = (text("error"), text("error_description"));
    let answer = Answer { code: text("code"), iss: text("iss"), error, error_description };
    let attempt = Attempt::of_answer(&client_block(&parts));
    let offered = app.waiting_for_others(move |app| {
        // One sign-in that has begun could ask the provider as often as somebody likes.
        if !app.pool.with(|connection| attempt.count(connection))?? {
            return Err(too_often());
        }
        let claims = provider.finish(&flow, again_since, &answer)?;
        let offer = offer(&provider, provider.map(&claims)?, app.settings.sends_mail);
        app.pool.with(|connection| attempt.give_back(connection))??;
        Ok(offer)
    });
    let ended = match offered.await {
        Ok(offer) => end(&app, &visit, &parts, (&sign_in, offer)).await,
        Err(failed) => Err(failed),
    };
    match (ended, &sign_in.purpose) {
        (Ok(secret), _) => Ok(begun(visit.links(), &sign_in.to, &secret)),
        (Err(failed), Purpose::Again) => {
            Ok(form::refused(again::page(&app, &visit, (&sign_in.to, false), Some(&failed)).await?, failed))
        }
        (Err(failed), Purpose::Connect) => Err(failed),
        (Err(failed), Purpose::SignIn | Purpose::Link(_)) => failed_with(&app, &visit, &sign_in.to, failed),
    }
}

fn once_more(visit: &Visit, parts: &Parts) -> Response {
    let there = parts.uri.path_and_query().map(|there| there.as_str()).unwrap_or_default();
    let separator = if there.contains('?') { '&' } else { '?' };
    refresh_to(&visit.links().to(&format!("{there}{separator}{ONCE_MORE}=1")))
}

/// `sends_mail`: whether an address is of use.
fn offer(provider: &Provider, mapped: Mapped, sends_mail: bool) -> Offer {
    let Mapped { account, login, profile, email } = mapped;
    let settings = &provider.settings;
    Offer {
        account,
        provider: settings.title().to_owned(),
        login,
        profile,
        email: email.filter(|_| sends_mail),
        creates: settings.new_users == NewUsers::Create,
        by_login: settings.existing_users == ExistingUsers::ByLogin,
    }
}

/// Does what the sign-in was begun for. The secret is that of the session then.
async fn end(
    app: &App,
    visit: &Visit,
    parts: &Parts,
    (sign_in, offer): (&Begun, Offer),
) -> Result<SessionSecret, ApiError> {
    let link = match &sign_in.purpose {
        Purpose::SignIn => None,
        Purpose::Link(code) => Some(LinkSecret::parse(code).ok_or(SignInRefusal::NoLink)?),
        Purpose::Again | Purpose::Connect => return end_of_session(app, visit, (sign_in, offer)).await,
    };
    let arrival = arrival(visit, parts);
    let session = app.with_connection(move |connection| offer.begin(connection, link.as_ref(), &arrival)).await?;
    tracing::info!(user = session.user.login, provider = sign_in.provider, "signed in at an identity provider");
    Ok(session.secret)
}

/// Proves the user of the session, which gets a new secret, or gives the account to that user.
async fn end_of_session(
    app: &App,
    visit: &Visit,
    (sign_in, offer): (&Begun, Offer),
) -> Result<SessionSecret, ApiError> {
    let (Some(caller), Some(secret)) = (visit.caller().cloned(), visit.session().cloned()) else {
        return Err(session_ended());
    };
    if sign_in.purpose == Purpose::Connect {
        app.with_connection(move |connection| connection.transaction(|connection| add(connection, &caller, &offer)))
            .await?;
        return Ok(secret);
    }
    let new = SessionSecret::random().map_err(ApiError::internal)?;
    let given = new.clone();
    app.with_connection(move |connection| {
        connection.transaction(|connection| {
            check_own(connection, &caller, &offer)?;
            if sessions::prove(connection, &secret, &given)? { Ok(()) } else { Err(session_ended()) }
        })
    })
    .await?;
    tracing::info!(provider = sign_in.provider, "confirmed the user of a session at an identity provider");
    Ok(new)
}

fn session_ended() -> ApiError {
    let detail = "your session has ended meanwhile: sign in, and begin again";
    ApiError::new(StatusCode::FORBIDDEN, detail).because(reason::SIGN_IN)
}

fn not_begun_here() -> ApiError {
    let detail = "this was not begun in this session, or has ended already: begin again";
    ApiError::new(StatusCode::FORBIDDEN, detail).because(reason::SIGN_IN)
}

fn check_own(connection: &mut PgConnection, caller: &Caller, offer: &Offer) -> Result<(), ApiError> {
    match offer.account.user(connection)? {
        Some(user) if user.id == caller.user.id => Ok(offer.account.note_use(connection)?),
        _ => {
            let (label, provider) = (offer.account.label().to_owned(), offer.provider.clone());
            Err(SignInRefusal::OtherAccount { label, provider }.into())
        }
    }
}

fn add(connection: &mut PgConnection, caller: &Caller, offer: &Offer) -> Result<(), ApiError> {
    let authority = caller.confirm_alone(connection)??;
    authority.person()?;
    match offer.account.user(connection)? {
        Some(user) if user.id == caller.user.id => return Ok(()),
        Some(_) => return Err(offer.of_another().into()),
        None if offer.account.add_to(connection, caller.user.id)? => {}
        None => return Err(offer.of_another().into()),
    }
    let event = Event::new(Action::IdentityAdd).about(&caller.user.login).detail(offer.detail());
    Ok(event.record(connection, &authority.actor())?)
}

/// Shows why it did not work, on the sign-in.
fn failed_with(app: &App, visit: &Visit, to: &str, failed: ApiError) -> Result<Response, ApiError> {
    if failed.status() == StatusCode::INTERNAL_SERVER_ERROR {
        return Err(failed);
    }
    let mut shown = form::refused(form::page(app, visit, to, Some(&failed))?, failed);
    if let Some(cookie) = cookies::forget_flow(visit.links()) {
        shown.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(shown)
}

impl From<ProviderError> for ApiError {
    fn from(error: ProviderError) -> Self {
        let status = match error {
            ProviderError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ProviderError::Client { .. } | ProviderError::Answer { .. } => StatusCode::BAD_GATEWAY,
            ProviderError::Refused { .. } | ProviderError::Another { .. } | ProviderError::NotAgain { .. } => {
                StatusCode::FORBIDDEN
            }
        };
        Self::new(status, error.to_string()).because(reason::SIGN_IN)
    }
}

impl From<MappingError> for ApiError {
    fn from(error: MappingError) -> Self {
        Self::new(StatusCode::FORBIDDEN, error.to_string()).because(reason::SIGN_IN)
    }
}
