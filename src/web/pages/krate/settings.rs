//! `/crates/{name}/settings`: who owns a crate and who publishes it, for its owners and for admins. Changes need a fresh proof that it
//! is the user.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use maud::{Markup, html};

use crate::database::access::caller::Caller;
use crate::database::access::provenance::Provider;
use crate::database::catalog::crates::Crate;
use crate::database::catalog::invitations::{self, Invitation, Of};
use crate::database::catalog::owners::{self, Owner};
use crate::database::catalog::ownership::Change;
use crate::database::catalog::refusal;
use crate::database::publishers::configurations::{Covers, Publisher};
use crate::database::publishers::rule::Given;
use crate::jobs::trusted_publishing::configure::{self, Asked};
use crate::package::CrateName;
use crate::web::extract::path::{ApiPath, crate_name};
use crate::web::extract::query::QueryParameters;
use crate::web::pages::layout::Page;
use crate::web::pages::links::Links;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::{button, hidden};
use crate::web::pages::parts::text::{name, text};
use crate::web::pages::parts::time;
use crate::web::pages::sign_in::{again, sent};
use crate::web::pages::visit::leading_to;
use crate::web::{ApiError, owner_changes, trusted_publishers};

/// The providers whose repositories a form can name.
const PROVIDERS: [(&str, Provider); 3] =
    [("GitHub", Provider::GitHub), ("GitLab", Provider::GitLab), ("Forgejo", Provider::Forgejo)];

/// `GET`.
pub async fn show(
    member: Member,
    ApiPath(given): ApiPath<String>,
    query: QueryParameters,
) -> Result<Response, ApiError> {
    let name = crate_name(&given)?;
    let caller = member.caller.clone();
    let wanted = name.clone();
    let read = member.app.with_connection(move |connection| {
        // Refuses those who do not own it.
        let publishers = configure::list_as(connection, Some(&wanted), &caller)?;
        let krate = refusal::find_crate(connection, &wanted)??;
        let owners = owners::list_all(connection, krate.id)?;
        let invited = invitations::pending(connection, Of::Crate(krate.id))?;
        Ok::<_, ApiError>((krate, (owners, invited), publishers))
    });
    let (krate, owners, publishers) = read.await?;
    let links = member.links();
    let form_token = member.visit.form_token().unwrap_or_default();
    let content = html! {
        h1 { "Settings of " a href=(links.krate(&krate.name)) { (krate.name) } }
        @match query.get("notice") {
            Some("done") => p class="notice good" role="status" { "It is done, and in the log of changes." },
            Some("invited") => p class="notice good" role="status" { "The user is invited, and becomes an owner by accepting on the page " code { "/me" } "." },
            _ => {}
        }
        @if member.visit.session().is_none() {
            p { "Changes need a session: " a href=(links.sign_in()) { "sign in" } "." }
        }
        (owner_section(links, &krate, &owners, &form_token))
        (publisher_section(links, &krate, &publishers, &form_token))
        section aria-labelledby="webhooks" {
            h2 id="webhooks" { "Webhooks" }
            p { a href=(links.of_crate(&krate.name, "settings/webhooks")) { "Webhooks of this crate" } " send its events to other programs." }
        }
    };
    Ok(member.visit.show(Page::new(format!("Settings of {}", krate.name), content).unlisted()))
}

fn owner_section(
    links: &Links,
    krate: &Crate,
    (owners, invited): &(Vec<Owner>, Vec<Invitation>),
    form_token: &str,
) -> Markup {
    let action = links.of_crate(&krate.name, "settings/owners");
    html! {
        section aria-labelledby="owners" {
            h2 id="owners" { "Owners" }
            ul class="ways" {
                @for owner in owners {
                    @let login = owner.login();
                    li {
                        (name(&login)) " "
                        @let hidden = hidden(form_token, &[("owner", &login), ("change", "remove")]);
                        (button(&action, &hidden, ("", &removal(&login))))
                    }
                }
            }
            @if !invited.is_empty() { (pending(&action, invited, form_token)) }
            form class="sign-in" method="post" action=(action) {
                (hidden(form_token, &[("change", "add")]))
                label for="owner" { "Login of a user, or " code { "team:NAME" } }
                input id="owner" name="owner" required maxlength="100" autocomplete="off" autocapitalize="none" spellcheck="false";
                button type="submit" { "Add an owner" }
            }
        }
    }
}

fn pending(action: &str, invited: &[Invitation], form_token: &str) -> Markup {
    html! {
        h3 id="invited" { "Invited" }
        ul class="ways" aria-labelledby="invited" {
            @for one in invited {
                li {
                    (name(&one.invitee)) ", by " (name(&one.inviter)) ", until " (time::day(one.expires_at)) " "
                    @let hidden = hidden(form_token, &[("owner", &one.invitee), ("change", "remove")]);
                    @let label = html! { "Withdraw" span class="aside" { " the invitation of " (one.invitee) } };
                    (button(action, &hidden, ("", &label)))
                }
            }
        }
    }
}

/// The label of a button, which says for screen readers what is removed.
fn removal(what: &str) -> Markup {
    html! { "Remove" span class="aside" { " " (what) } }
}

fn publisher_section(links: &Links, krate: &Crate, publishers: &[Publisher], form_token: &str) -> Markup {
    let path = |what: &str| links.of_crate(&krate.name, &format!("settings/{what}"));
    html! {
        section aria-labelledby="publishers" {
            h2 id="publishers" { "Trusted publishers" }
            p { "CI systems that publish without a stored token." }
            @if !publishers.is_empty() {
                ul class="ways" {
                    @for publisher in publishers {
                        li {
                            (text(&publisher.rule.described())) " at " (text(&publisher.issuer))
                            @if publisher.stages_only { ", only into release sets" }
                            @match &publisher.covers {
                                Covers::Pattern(pattern) => { ", for " code { (pattern.to_string()) } }
                                Covers::Crate(_) => {
                                    " "
                                    @let hidden = hidden(form_token, &[("id", &publisher.id.to_string())]);
                                    (button(&path("publishers/remove"), &hidden, ("", &removal(&publisher.rule.described()))))
                                }
                            }
                        }
                    }
                }
            }
            @if krate.trustpub_only && publishers.is_empty() {
                p class="notice bad" { "There is none, and only they may publish: this crate cannot be published. Add one, or let owners publish again." }
            }
            (new_publisher(&path("publishers"), form_token))
            (restriction(&path("restriction"), krate, form_token))
        }
    }
}

fn new_publisher(action: &str, form_token: &str) -> Markup {
    html! {
        details {
            summary { "Add a trusted publisher" }
            form class="sign-in" method="post" action=(action) {
                (hidden(form_token, &[]))
                label for="provider" { "Where the repository is" }
                select id="provider" name="provider" { @for (title, provider) in PROVIDERS { option value=(provider.as_str()) { (title) } } }
                label for="repository" { "Repository, as " code { "OWNER/NAME" } }
                input id="repository" name="repository" required maxlength="500" autocomplete="off" spellcheck="false";
                label for="workflow" { "File of the workflow, such as " code { "release.yml" } }
                input id="workflow" name="workflow" required maxlength="255" autocomplete="off" spellcheck="false";
                label for="environment" { "Environment that the job has to be in, if any" }
                input id="environment" name="environment" maxlength="255" autocomplete="off" spellcheck="false";
                label for="issuer" { "Issuer, if it is not github.com or gitlab.com and there are several" }
                input id="issuer" name="issuer" type="url" maxlength="500" autocomplete="off" spellcheck="false";
                label { input type="checkbox" name="stage_only" value="true"; " It only stages versions, in release sets" }
                button type="submit" { "Add" }
            }
        }
    }
}

fn restriction(action: &str, krate: &Crate, form_token: &str) -> Markup {
    let (now, label, value) = match krate.trustpub_only {
        true => (
            "Only trusted publishers may publish this crate: tokens of its owners cannot.",
            "Let owners publish again",
            "false",
        ),
        false => ("Owners may publish with their tokens, too.", "Let only trusted publishers publish", "true"),
    };
    html! {
        p { (now) }
        (button(action, &hidden(form_token, &[("trustpub_only", value)]), ("", &html! { (label) })))
    }
}

/// The form that was sent for a crate, or the page at which the user proves to be the user.
async fn asked(member: &Member, given: &str, request: Request) -> response::Result<(CrateName, QueryParameters)> {
    let name = crate_name(given)?;
    let sent = sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, &format!("/crates/{name}/settings"))?;
    Ok((name, sent))
}

fn done(member: &Member, name: &CrateName) -> Response {
    done_as(member, name, "done")
}

fn done_as(member: &Member, name: &CrateName, notice: &str) -> Response {
    leading_to(member.links().with_query(&format!("/crates/{name}/settings"), &[("notice", notice)]))
}

fn bad(detail: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, detail)
}

/// `POST …/owners`.
pub async fn owners(member: Member, ApiPath(given): ApiPath<String>, request: Request) -> response::Result<Response> {
    let (name, sent) = asked(&member, &given, request).await?;
    let change = match sent.get("change") {
        Some("add") => owner_changes::adding(&member.app),
        Some("remove") => Change::Remove,
        _ => return Err(bad("`change` is neither add nor remove: send the form of the page").into()),
    };
    let logins = vec![sent.text("owner").unwrap_or_default().trim().to_owned()];
    let changed = owner_changes::change(&member.app, member.caller.clone(), name.clone(), (logins, change)).await?;
    Ok(done_as(&member, &name, if changed.invited { "invited" } else { "done" }))
}

/// `POST …/publishers`.
pub async fn add_publisher(
    member: Member,
    ApiPath(given): ApiPath<String>,
    request: Request,
) -> response::Result<Response> {
    let (name, sent) = asked(&member, &given, request).await?;
    let field = |name| sent.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let provider = field("provider").and_then(|wanted| {
        PROVIDERS.into_iter().map(|(_, provider)| provider).find(|provider| provider.as_str() == wanted)
    });
    let provider = provider.ok_or_else(|| bad("`provider` is none of the form: send the form of the page"))?;
    let given = Given {
        repository: field("repository"),
        workflow: field("workflow"),
        environment: field("environment"),
        ..Given::default()
    };
    let stages_only = sent.flag("stage_only")?.unwrap_or(false);
    let wanted = Asked { provider, issuer: field("issuer"), given, stages_only, owner: None };
    trusted_publishers::add(&member.app, name.to_string(), wanted, member.caller.clone()).await?;
    Ok(done(&member, &name))
}

/// `POST …/publishers/remove`.
pub async fn remove_publisher(
    member: Member,
    ApiPath(given): ApiPath<String>,
    request: Request,
) -> response::Result<Response> {
    let (name, sent) = asked(&member, &given, request).await?;
    let id: Option<i32> = sent.parsed("id", "the number of a trusted publisher")?;
    let id = id.ok_or_else(|| bad("`id` is missing: send the form of the page"))?;
    let of = name.clone();
    change(&member, move |connection, caller| {
        // One of another crate has a page of its own.
        let is_of_crate = |one: &Publisher| one.id == id && one.covers == Covers::Crate(of.clone());
        if !configure::list_as(connection, Some(&of), caller)?.iter().any(is_of_crate) {
            return Err(ApiError::not_found(format!("the crate `{of}` has no trusted publisher {id}")));
        }
        Ok(configure::remove_as(connection, (id, None), caller)?)
    })
    .await?;
    Ok(done(&member, &name))
}

/// `POST …/restriction`.
pub async fn restrict(member: Member, ApiPath(given): ApiPath<String>, request: Request) -> response::Result<Response> {
    let (name, sent) = asked(&member, &given, request).await?;
    let only =
        sent.flag("trustpub_only")?.ok_or_else(|| bad("`trustpub_only` is missing: send the form of the page"))?;
    let of = name.clone();
    change(&member, move |connection, caller| Ok(configure::restrict_as(connection, &of, only, caller)?)).await?;
    Ok(done(&member, &name))
}

async fn change(
    member: &Member,
    change: impl FnOnce(&mut diesel::PgConnection, &Caller) -> Result<(), ApiError> + Send + 'static,
) -> Result<(), ApiError> {
    let caller = member.caller.clone();
    member.app.with_connection(move |connection| change(connection, &caller)).await
}
