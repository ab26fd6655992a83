//! The links in mails. What they do is done by the form on their page, or by one click in the program that shows the mail: programs
//! that show previews of links look at them, too. The secret in the link stands in place of a session.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use diesel::Connection;
use maud::{Markup, html};

use crate::database::email::recipients::{self, EmailSecret};
use crate::jobs::email::configure::{self, EmailError};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::sign_in::read_form;
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

fn secret(query: &QueryParameters) -> Result<EmailSecret, ApiError> {
    query.get("key").unwrap_or_default().parse().map_err(|_| EmailError::NoLink.into())
}

/// `GET /email/confirm`.
pub async fn show_confirm(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    let key = secret(&query)?;
    let wanted = key.clone();
    let found = app.with_connection(move |connection| recipients::to_confirm(connection, &wanted)).await?;
    let (_, login, address) = found.ok_or(EmailError::NoLink)?;
    let content = html! {
        h1 { "Confirm your e-mail address" }
        p { strong { (name(&login)) } " gets mail at " strong { (text(&address)) } "." }
        (form(&visit, "/email/confirm", &key, "Confirm"))
    };
    Ok(visit.show(Page::new("Confirm your e-mail address", content).unlisted()))
}

/// `POST /email/confirm`.
pub async fn confirm(State(app): State<App>, visit: Visit, query: QueryParameters) -> Result<Response, ApiError> {
    visit.refuse_other_sites()?;
    let key = secret(&query)?;
    let confirmed = app
        .with_connection(move |connection| connection.transaction(|connection| configure::confirm(connection, &key)))
        .await?;
    let (login, address) = confirmed;
    tracing::info!(user = login, "an e-mail address was confirmed");
    let content = html! {
        h1 { "The address is confirmed" }
        p { strong { (name(&login)) } " gets mail at " strong { (text(&address)) } " from now on. "
            a href=(visit.links().to("/me/email")) { "Choose of what" } "." }
    };
    Ok(visit.show(Page::new("The address is confirmed", content).unlisted()))
}

/// `GET /email/unsubscribe`.
pub async fn show_unsubscribe(
    State(app): State<App>,
    visit: Visit,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let key = secret(&query)?;
    let wanted = key.clone();
    let found = app.with_connection(move |connection| recipients::of_key(connection, &wanted)).await?;
    let (login, _) = found.ok_or(EmailError::NoLink)?;
    let content = html! {
        h1 { "No more mail" }
        p { strong { (name(&login)) } " gets no more mail from this registry." }
        (form(&visit, "/email/unsubscribe", &key, "No more mail"))
        p { a href=(visit.links().to("/me/email")) { "Choose of what you get mail" } " instead." }
    };
    Ok(visit.show(Page::new("No more mail", content).unlisted()))
}

/// `POST /email/unsubscribe`, also without a browser: RFC 8058.
pub async fn unsubscribe(
    State(app): State<App>,
    visit: Visit,
    query: QueryParameters,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let sent = read_form(&parts, content).await?;
    let key = secret(&query)?;
    let login = app
        .with_connection(move |connection| {
            connection.transaction(|connection| configure::unsubscribe(connection, &key))
        })
        .await?;
    tracing::info!(user = login, "a user wants no more mail");
    if sent.get("List-Unsubscribe") == Some("One-Click") {
        return Ok("No more mail is sent to this address.\n".into_response());
    }
    let content = html! {
        h1 { "No more mail" }
        p { strong { (name(&login)) } " gets no more mail. " a href=(visit.links().to("/me/email")) { "Change that" } "." }
    };
    Ok(visit.show(Page::new("No more mail", content).unlisted()))
}

fn form(visit: &Visit, place: &str, key: &EmailSecret, label: &str) -> Markup {
    html! {
        form class="one" method="post" action=(visit.links().with_query(place, &[("key", key.reveal())])) {
            button type="submit" class="primary" { (label) }
        }
    }
}
