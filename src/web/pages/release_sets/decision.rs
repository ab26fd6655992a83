//! Approval and rejection on a set's page: the forms, and what they do.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use maud::{Markup, html};

use crate::database::staging::view::ReleaseSetView;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::pages::member::Member;
use crate::web::pages::parts::form::hidden;
use crate::web::pages::parts::text::{names, with_code};
use crate::web::pages::sign_in::{again, sent};
use crate::web::pages::visit::leading_to;
use crate::web::release_sets::{self, Part, check_may_approve, check_may_reject, set_name};

/// The longest reason, in characters.
const REASON: usize = 1000;

/// What is needed before the set is published, and the forms.
pub fn section(member: &Member, view: &ReleaseSetView, part: Part) -> Markup {
    let is_empty = view.versions.is_empty() && view.changes.is_empty();
    let form_token = member.visit.form_token();
    html! {
        h2 id="decision" { "Decision" }
        @if is_empty {
            p { "Publish something into the set first: an empty set cannot be approved." }
        } @else {
            (approvals(view))
        }
        @match &form_token {
            None => { p { "Changes need a session: " a href=(member.links().sign_in()) { "sign in" } "." } }
            Some(form_token) => {
                @if !is_empty { (approve_or_why_not(member, view, (form_token, part))) }
                @match check_may_reject(&member.caller) {
                    Ok(()) if part.rejects => { (rejection(member, view, form_token)) }
                    Ok(()) => { p { "You cannot reject it: that takes its creator, an admin, or a user who may publish everything in it." } }
                    Err(_) => {}
                }
            }
        }
    }
}

fn approve_or_why_not(member: &Member, view: &ReleaseSetView, (form_token, part): (&str, Part)) -> Markup {
    let is_given = view.approved_by.contains(&member.caller.user.login);
    html! {
        @match check_may_approve(&member.caller) {
            Err(denied) => { p { "You cannot approve it here: " (with_code(&denied.to_string())) "." } }
            Ok(()) if !part.approves => {
                p { "You cannot approve it: you do not belong to this set, because you may publish none of its crates." }
            }
            Ok(()) => { (approval(member, view, (form_token, is_given))) }
        }
    }
}

/// Who has approved, and who still has to.
fn approvals(view: &ReleaseSetView) -> Markup {
    html! {
        @if !view.approved_by.is_empty() {
            p {
                "Approved so far by " (names(&view.approved_by)) "."
            }
        }
        @if !view.formerly_approved_by.is_empty() {
            p class="notice warn" {
                "Approved by " (names(&view.formerly_approved_by)) " in an earlier revision. What was staged since then makes \
                 that void: they have to look again."
            }
        }
        @if view.missing.is_empty() {
            p { "It has all approvals that it needs: the next one publishes it." }
        } @else {
            p { "It is published when each of these has what it needs:" }
            ul { @for missing in &view.missing { li { (with_code(missing)) } } }
        }
    }
}

fn approval(member: &Member, view: &ReleaseSetView, (form_token, is_given): (&str, bool)) -> Markup {
    let action = member.links().decision(&view.name, "approve");
    let hidden = hidden(form_token, &[("revision", &view.revision.to_string())]);
    html! {
        @if is_given { p class="notice good" role="status" { "You have approved this revision." } }
        form class="sign-in" method="post" action=(action) {
            (hidden)
            @if is_given { button type="submit" { "Approve again" } } @else { button type="submit" class="primary" { "Approve" } }
        }
        @if is_given {
            form class="sign-in" method="post" action=(member.links().decision(&view.name, "withdraw")) {
                (hidden)
                button type="submit" { "Withdraw your approval" }
            }
        }
        @if member.caller.is_admin() && !view.missing.is_empty() {
            details {
                summary { "Approve without the others" }
                form class="sign-in" method="post" action=(action) {
                    (hidden)
                    label for="override" { "Reason, which is kept in the audit log and logged as an error" }
                    input id="override" name="override" maxlength=(REASON) required autocomplete="off";
                    button type="submit" class="danger" { "Override and publish" }
                }
            }
        }
    }
}

fn rejection(member: &Member, view: &ReleaseSetView, form_token: &str) -> Markup {
    html! {
        details {
            summary { "Reject it" }
            p { "What is staged is removed, and its numbers are free again. This cannot be undone." }
            form class="sign-in" method="post" action=(member.links().decision(&view.name, "reject")) {
                (hidden(form_token, &[]))
                label for="reason" { "Reason, for the users who staged the versions" }
                input id="reason" name="reason" maxlength=(REASON) required autocomplete="off";
                button type="submit" class="danger" { "Reject" }
            }
        }
    }
}

/// `POST /release-sets/{set}/approve`.
pub async fn approve(member: Member, ApiPath(set): ApiPath<String>, request: Request) -> response::Result<Response> {
    const REVISION_IS: &str = "the revision that the page of the set shows";
    let no_revision = || {
        let detail = "the form has no revision of the set, and nothing was approved: open the page of the set, and send its form";
        ApiError::new(StatusCode::BAD_REQUEST, detail)
    };
    let name = set_name(&set)?;
    let sent = sent(&member.visit, request).await?;
    again::check_proven_to_send(&member.visit, &member.caller, &format!("/release-sets/{name}"))?;
    let seen = sent.parsed("revision", REVISION_IS)?.ok_or_else(no_revision)?;
    let override_reason = sent.text("override").map(|reason| reason.trim().to_owned());
    let caller = member.caller.clone();
    release_sets::approve(&member.app, name.clone(), (Some(seen), override_reason), caller).await?;
    Ok(leading_to(member.links().release_set(&name)))
}

/// `POST /release-sets/{set}/withdraw`.
pub async fn withdraw(member: Member, ApiPath(set): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let name = set_name(&set)?;
    sent(&member.visit, request).await?;
    release_sets::withdraw(&member.app, name.clone(), member.caller.clone()).await?;
    Ok(leading_to(member.links().release_set(&name)))
}

/// `POST /release-sets/{set}/reject`.
pub async fn reject(member: Member, ApiPath(set): ApiPath<String>, request: Request) -> Result<Response, ApiError> {
    let name = set_name(&set)?;
    let sent = sent(&member.visit, request).await?;
    let reason = sent.text("reason").unwrap_or_default();
    release_sets::reject(&member.app, name.clone(), reason.trim().to_owned(), member.caller.clone()).await?;
    Ok(leading_to(member.links().release_set(&name)))
}
