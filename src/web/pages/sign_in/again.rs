//! `GET` and `POST /sign-in/again`: the user of a session proves once more to be that user, before something that a stolen session
//! could do much harm with. The proof is good for ten minutes.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use diesel::Connection;
use maud::{Markup, html};

use super::sent::sent_parts;
use super::session::{begun, lead_here};
use super::{form, password, token};
use crate::database::access::caller::Caller;
use crate::database::access::sessions::{self, SessionSecret};
use crate::database::access::users;
use crate::database::sign_in::identities::{self, Identity};
use crate::database::sign_in::passwords;
use crate::password::Hash;
use crate::web::extract::query::QueryParameters;
use crate::web::measures::reason;
use crate::web::pages::entrance::sign_in_first;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::visit::{Visit, leading_to};
use crate::web::{ApiError, App};

/// `GET /sign-in/again`.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    query: QueryParameters,
    request: Request,
) -> Result<Response, ApiError> {
    let to = query.text("to").unwrap_or_default();
    match visit.caller() {
        None => {
            let (parts, _) = request.into_parts();
            Ok(sign_in_first(visit.links(), &parts))
        }
        Some(caller) if caller.is_proven() => Ok(lead_here(visit.links(), &to, [])),
        Some(_) => page(&app, &visit, (&to, query.get("unsent").is_some()), None).await,
    }
}

/// The user of a session has to prove to be that user first. As an answer, it leads to the page for that.
#[derive(Debug)]
pub struct Unproven {
    place: String,
}

impl IntoResponse for Unproven {
    fn into_response(self) -> Response {
        leading_to(self.place)
    }
}

/// Checks that the user has just proved to be that user. The page leads to a path below the registry's afterwards.
pub fn check_proven(visit: &Visit, caller: &Caller, to: &str) -> Result<(), Unproven> {
    check(visit, caller, &[("to", to)])
}

/// Checks the same before the change that a form asks for. The user sends the form once more afterwards.
pub fn check_proven_to_send(visit: &Visit, caller: &Caller, to: &str) -> Result<(), Unproven> {
    check(visit, caller, &[("to", to), ("unsent", "true")])
}

fn check(visit: &Visit, caller: &Caller, query: &[(&str, &str)]) -> Result<(), Unproven> {
    if caller.is_proven() {
        return Ok(());
    }
    Err(Unproven { place: visit.links().with_query("/sign-in/again", query) })
}

/// The ways in which a user can prove to be that user.
struct Ways {
    identities: Vec<Identity>,
    has_password: bool,
}

/// The page. `unsent`: a form was sent, and nothing was done.
pub(super) async fn page(
    app: &App,
    visit: &Visit,
    (to, unsent): (&str, bool),
    refused: Option<&ApiError>,
) -> Result<Response, ApiError> {
    let (Some(caller), Some(form_token)) = (visit.caller(), visit.form_token()) else { return Err(no_session()) };
    let user = caller.user.id;
    let ways = app
        .with_connection(move |connection| {
            let identities = identities::of_user(connection, user)?;
            let has_password = passwords::set_at(connection, user)?.is_some();
            Ok::<_, ApiError>(Ways { identities, has_password })
        })
        .await?;
    let content = html! {
        h1 { "Confirm that it is you" }
        p {
            "You are signed in as " strong { (caller.user.login) } ". What comes next could do much harm if somebody else had your \
             session, so sign in once more. This is good for ten minutes."
        }
        @if unsent {
            p class="notice warn" { "Nothing was changed yet. Afterwards you come back to the form: fill it in and send it again." }
        }
        (why(refused))
        (forms(app, visit, caller, (&ways, &form_token, to, unsent)))
        p { a href=(visit.links().me()) { "Leave it, and change nothing" } }
    };
    let status = refused.map_or(StatusCode::OK, ApiError::status);
    Ok(visit.show(Page::new("Confirm that it is you", content).unlisted().with_status(status)))
}

fn forms(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    (ways, form_token, to, unsent): (&Ways, &str, &str, bool),
) -> Markup {
    let links = visit.links();
    let of_user = |issuer: &str| ways.identities.iter().any(|identity| identity.issuer == issuer);
    let providers: Vec<_> = app.providers.iter().filter(|provider| of_user(&provider.settings.issuer)).collect();
    let has_password = ways.has_password && app.settings.sign_in.password;
    let by_token = !caller.is_person() && app.settings.sign_in.token;
    let action = links.to("/sign-in/again");
    let fields = [("to", to), ("unsent", "true")];
    let hidden = hidden(form_token, if unsent { &fields } else { &fields[..1] });
    html! {
        @if !providers.is_empty() {
            ul class="providers" {
                @for provider in &providers {
                    @let path = format!("/sign-in/with/{}", provider.settings.name);
                    li { a class="button primary" href=(links.with_query(&path, &[("again", "true"), ("to", to)])) { "Confirm with " (provider.settings.title()) } }
                }
            }
        }
        @if has_password {
            form class="sign-in" method="post" action=(action) {
                (hidden)
                input type="hidden" name="login" value=(caller.user.login) autocomplete="username";
                label for="password" { "Password" }
                input id="password" type="password" name="password" required autocomplete="current-password" maxlength="1024";
                button type="submit" { "Confirm" }
            }
        }
        @if by_token {
            form class="sign-in" method="post" action=(action) {
                (hidden)
                label for="token" { "Token " (caller.token.name) }
                input id="token" type="password" name="token" required autocomplete="off" spellcheck="false" maxlength="1024";
                button type="submit" { "Confirm with the token" }
            }
        }
        @if providers.is_empty() && !has_password && !by_token {
            p class="notice warn" { "None of the ways in which you could sign in is left. Ask an admin for a sign-in link." }
        }
    }
}

/// `POST /sign-in/again`, with a password or the token of the session.
pub async fn prove(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, sent) = sent_parts(&visit, request).await?;
    let to = sent.get("to").unwrap_or_default();
    let (Some(caller), Some(secret)) = (visit.caller(), visit.session().cloned()) else { return Err(no_session()) };
    let hash = match check_entered(&app, &parts, caller, &sent).await {
        Ok(hash) => hash,
        Err(refused) => {
            return Ok(form::refused(
                page(&app, &visit, (to, sent.get("unsent").is_some()), Some(&refused)).await?,
                refused,
            ));
        }
    };
    let new = SessionSecret::random().map_err(ApiError::internal)?;
    let (given, user) = (new.clone(), caller.user.id);
    let proven = app.with_connection(move |connection| {
        connection.transaction(|connection| {
            users::lock(connection, user)?;
            // The password may have been changed meanwhile.
            if hash.is_some() && passwords::hash_of(connection, user)? != hash {
                return Ok(false);
            }
            sessions::prove(connection, &secret, &given)
        })
    });
    if !proven.await? {
        return Err(no_session());
    }
    tracing::info!("confirmed the user of a session");
    Ok(begun(visit.links(), to, &new))
}

/// Checks what was entered; the hash of the password if it is one.
async fn check_entered(
    app: &App,
    parts: &Parts,
    caller: &Caller,
    sent: &QueryParameters,
) -> Result<Option<Hash>, ApiError> {
    let refused = |detail: &str| Err(ApiError::new(StatusCode::FORBIDDEN, detail).because(reason::SIGN_IN));
    match (sent.get("password"), sent.get("token")) {
        (Some(entered), _) => password::find(app, parts, &caller.user.login, entered).await.map(|(_, hash)| Some(hash)),
        (None, Some(entered)) => match token::find(app, parts, entered).await?? {
            found if found.token.id == caller.token.id => Ok(None),
            _ => refused("this is not the token that the session began with: enter that one"),
        },
        (None, None) => refused("nothing was entered: enter your password, or the token of the session"),
    }
}

fn no_session() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "you are not signed in: sign in, and begin again").because(reason::SIGN_IN)
}
