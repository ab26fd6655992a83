//! `GET /sign-in`: all ways to sign in. A browser gets a secret with the forms, which they send back, so that a page of another site
//! cannot sign it in.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use crate::database::access::sessions::SessionSecret;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::cookies;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::visit::{Visit, foreign_form, same};
use crate::web::{ApiError, App};

/// `GET /sign-in`.
pub async fn show(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    let to = query.text("to").unwrap_or_default();
    page(&app, &visit, &to, None)
}

/// The page. `refused` is why the last attempt did not work.
pub(super) fn page(app: &App, visit: &Visit, to: &str, refused: Option<&ApiError>) -> Result<Response, ApiError> {
    page_of(app, visit, (to, ""), refused)
}

/// The same for somebody who has entered a login.
pub(super) fn page_of(
    app: &App,
    visit: &Visit,
    (to, login): (&str, &str),
    refused: Option<&ApiError>,
) -> Result<Response, ApiError> {
    let signed_in = visit.caller().map(|caller| caller.user.login.as_str());
    with_secret(visit, refused, |form_token| {
        let hidden = hidden(form_token, &[("to", to)]);
        let content = html! {
            h1 { "Sign in" }
            @if let Some(login) = signed_in { p { "You are signed in as " strong { (login) } ". Another sign-in replaces this session." } }
            (why(refused))
            (ways(app, visit, (to, login), &hidden))
            p { "No user here yet, or no token? " a href=(visit.links().me()) { "How to get one" } "." }
        };
        Page::new("Sign in", content)
    })
}

fn ways(app: &App, visit: &Visit, (to, login): (&str, &str), hidden: &Markup) -> Markup {
    let (links, ways) = (visit.links(), &app.settings.sign_in);
    html! {
        @if !app.providers.is_empty() {
            ul class="providers" {
                @for provider in &app.providers {
                    @let settings = &provider.settings;
                    li {
                        a class="button primary" href=(links.with_query(&format!("/sign-in/with/{}", settings.name), &[("to", to)])) {
                            "Sign in with " (settings.title())
                        }
                    }
                }
            }
        }
        @if ways.password {
            form class="sign-in" method="post" action=(links.to("/sign-in/password")) {
                (hidden)
                label for="login" { "Login" }
                input id="login" name="login" value=(login) required autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="200"
                    autofocus[app.providers.is_empty()];
                label for="password" { "Password" }
                input id="password" type="password" name="password" required autocomplete="current-password" maxlength="1024";
                button type="submit" class=(if app.providers.is_empty() { "primary" } else { "" }) { "Sign in" }
            }
        }
        @if ways.token {
            @let is_only = !ways.password && app.providers.is_empty();
            details open[is_only] {
                summary { "Sign in with a token" }
                form class="sign-in" method="post" action=(links.sign_in()) {
                    (hidden)
                    label for="token" { "Token" }
                    input id="token" type="password" name="token" required autocomplete="off" spellcheck="false" maxlength="1024"
                        autofocus[is_only] aria-describedby="about-token";
                    p id="about-token" class="aside-text" {
                        "The token that you use with " code { "cargo login" } ". The session has the rights of this token, and ends \
                         with it, after twelve hours without use, and after seven days."
                    }
                    button type="submit" { "Sign in with the token" }
                }
            }
        }
    }
}

/// A page with forms for a browser that has no session, and the cookie with the secret of these forms.
pub(super) fn with_secret(
    visit: &Visit,
    refused: Option<&ApiError>,
    page: impl FnOnce(&str) -> Page,
) -> Result<Response, ApiError> {
    let secret = match cookies::form(visit.links(), visit.headers()) {
        Some(secret) => secret,
        None => SessionSecret::random().map_err(ApiError::internal)?,
    };
    let status = refused.map_or(StatusCode::OK, ApiError::status);
    let mut response = visit.show(page(&secret.form_token()).unlisted().unstored().with_status(status));
    if let Some(cookie) = cookies::keep_form(visit.links(), &secret) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Checks that a form of this browser was sent.
pub(super) fn check(visit: &Visit, form_token: Option<&str>) -> Result<(), ApiError> {
    visit.refuse_other_sites()?;
    let own = cookies::form(visit.links(), visit.headers()).map(|secret| secret.form_token());
    let matches = own.zip(form_token).is_some_and(|(own, sent)| same(&own, sent));
    if matches { Ok(()) } else { Err(foreign_form()) }
}

/// A page that shows why an attempt did not work. The refusal is counted and logged like every other.
pub(super) fn refused(shown: Response, refused: ApiError) -> Response {
    let mut shown = shown;
    *shown.extensions_mut() = refused.into_response().extensions().clone();
    shown.extensions_mut().remove::<crate::web::error::ErrorText>();
    shown
}
