//! `GET` and `POST /sign-in/link`: a link that is used once. It is used up by what is sent, not by looking at it: programs that
//! show previews of links look at them, too.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use diesel::{Connection, PgConnection};
use maud::{Markup, html};

use super::form;
use super::provider;
use super::sent::read_form;
use super::session::{arrival, begun};
use crate::database::access::audit::{Action, Event};
use crate::database::access::sessions;
use crate::database::access::users::User;
use crate::database::sign_in::begin::{Arrival, Begun, begin_as};
use crate::database::sign_in::links::LinkSecret;
use crate::database::sign_in::passwords;
use crate::database::sign_in::refusal::SignInRefusal;
use crate::password::Hash;
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::form::{hidden, why};
use crate::web::pages::parts::new_password;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// `GET /sign-in/link`.
pub async fn show(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    page(&app, &visit, query.get("code").unwrap_or_default(), None).await
}

/// The page with the ways to sign in from now on.
async fn page(app: &App, visit: &Visit, code: &str, refused: Option<&ApiError>) -> Result<Response, ApiError> {
    let user = user_of(app, code).await?;
    form::with_secret(visit, refused, |form_token| {
        let content = html! {
            h1 { "Sign in as " (user.login) }
            p { "This link is for you alone, and works once. Choose how you sign in from now on." }
            (why(refused))
            (ways(app, visit, (code, &user.login), form_token))
        };
        Page::new("Sign in", content)
    })
}

fn ways(app: &App, visit: &Visit, (code, login): (&str, &str), form_token: &str) -> Markup {
    let links = visit.links();
    html! {
        @if !app.providers.is_empty() {
            ul class="providers" {
                @for provider in &app.providers {
                    @let settings = &provider.settings;
                    li {
                        form class="one" method="post" action=(links.to("/sign-in/link")) {
                            (hidden(form_token, &[("code", code), ("provider", &settings.name)]))
                            button type="submit" class="primary" { "Continue with " (settings.title()) }
                        }
                    }
                }
            }
        }
        @if app.settings.sign_in.password {
            form class="sign-in" method="post" action=(links.to("/sign-in/link")) {
                (hidden(form_token, &[("code", code)]))
                (new_password::fields(login))
                button type="submit" { "Set the password and sign in" }
            }
        } @else if app.providers.is_empty() {
            p class="notice warn" {
                "This registry has neither an identity provider nor passwords, so there is nothing to choose. Ask an admin for a token."
            }
        }
    }
}

async fn user_of(app: &App, code: &str) -> Result<User, ApiError> {
    let Some(secret) = LinkSecret::parse(code) else { return Err(SignInRefusal::NoLink.into()) };
    let found = app.with_connection(move |connection| secret.user(connection)).await?;
    Ok(found.ok_or(SignInRefusal::NoLink)?)
}

/// `POST /sign-in/link`: sets a password, or leads to a provider, after which the link is used up.
pub async fn sign_in(State(app): State<App>, visit: Visit, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    form::check(&visit, sent.get("form_token"))?;
    let code = sent.get("code").unwrap_or_default().to_owned();
    let user = user_of(&app, &code).await?;
    if let Some(provider) = sent.get("provider") {
        return provider::use_link(&app, &visit, (provider, &code)).await;
    }
    let set = match new_password::read(&app, &sent, &user.login).await {
        Ok(hash) => {
            let arrival = arrival(&visit, &parts);
            let secret = LinkSecret::parse(&code).ok_or(SignInRefusal::NoLink)?;
            app.with_connection(move |connection| use_link(connection, (&secret, user.id), &hash, &arrival)).await
        }
        Err(refused) => Err(refused),
    };
    match set {
        Ok(session) => {
            tracing::info!(user = session.user.login, "signed in with a link, and set a password");
            Ok(begun(visit.links(), "/me", &session.secret))
        }
        Err(refused) if refused.status() == StatusCode::BAD_REQUEST => {
            Ok(form::refused(page(&app, &visit, &code, Some(&refused)).await?, refused))
        }
        Err(refused) => Err(refused),
    }
}

/// Uses the link up, sets the password, and ends the user's other sessions: the password may have been changed because somebody else
/// had it.
fn use_link(
    connection: &mut PgConnection,
    (link, user): (&LinkSecret, i32),
    hash: &Hash,
    arrival: &Arrival,
) -> Result<Begun, SignInRefusal> {
    connection.transaction(|connection| {
        let (session, actor) = begin_as(connection, user, "link", arrival)?;
        if link.user(connection)?.is_none_or(|of_link| of_link.id != user) || !link.use_up(connection)? {
            return Err(SignInRefusal::NoLink);
        }
        passwords::set(connection, user, hash)?;
        sessions::end_of_user(connection, user, None, Some(&session.secret))?;
        Event::new(Action::PasswordSet).about(&session.user.login).record(connection, &actor)?;
        Ok(session)
    })
}
