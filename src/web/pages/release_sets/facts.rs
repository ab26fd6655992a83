//! The parts of a set's page that only inform.

use maud::{Markup, html};

use crate::database::staging::sets::SetState;
use crate::database::staging::view::ReleaseSetView;
use crate::web::pages::links::Links;
use crate::web::pages::member::Member;
use crate::web::pages::parts::copy;
use crate::web::pages::parts::text::{name, names, size, text};
use crate::web::pages::parts::time::{ago, day};

/// The mark of a state.
pub fn tag(state: SetState) -> Markup {
    let class = match state {
        SetState::Open => "tag",
        SetState::Approved => "tag good",
        SetState::Rejected => "tag bad",
        SetState::Expired => "tag warn",
    };
    html! { span class=(class) { (state.as_str()) } }
}

/// The head of the page: the name, and what has become of the set.
pub fn heading(links: &Links, view: &ReleaseSetView) -> Markup {
    let ended = view.ended_at.unwrap_or(view.expires_at);
    let by = view.ended_by.as_deref().unwrap_or_default();
    html! {
        nav class="crumbs" aria-label="Path" { a href=(links.release_sets(&[])) { "Release sets" } " / " (view.name) }
        h1 { (view.name) " " @if let Ok(state) = view.state.parse() { (tag(state)) } }
        @if let Some(title) = &view.title { p class="lead" { (text(title)) } }
        @match &*view.state {
            "open" => { p class="notice" { "Nothing of it is published yet. It expires on " (day(view.expires_at)) "." } }
            "approved" => {
                p class="notice good" { "Approved by " (name(by)) " " (ago(ended)) ": all of it became public at one moment." }
            }
            "rejected" => {
                p class="notice bad" {
                    "Rejected by " (name(by)) " " (ago(ended)) ": " (text(view.reason.as_deref().unwrap_or_default()))
                    ". Nothing of it was published, and its numbers are free again."
                }
            }
            _ => {
                p class="notice warn" {
                    "Expired on " (day(ended)) ". Nothing of it was published, and its numbers are free again."
                }
            }
        }
    }
}

pub fn facts(view: &ReleaseSetView) -> Markup {
    html! {
        @if let Some(reason) = &view.override_reason {
            p class="notice warn" { "The rules of approvals were overridden: " (text(reason)) }
        }
        dl class="review-facts" {
            dt { "Created" }
            dd {
                (ago(view.created_at)) " by "
                @match &view.created_by { Some(login) => { (name(login)) } None => { "an operator" } }
            }
            @if view.state == "approved" && !view.approved_by.is_empty() {
                dt { "Approvals" }
                dd { (names(&view.approved_by)) }
            }
            @if view.state == "open" {
                dt { "Visible" }
                dd {
                    @if view.preview { "to everyone who may read the registry" }
                    @else if view.created_by.is_none() { "to every user" }
                    @else { "to its members" }
                }
                dt { "Revision" }
                dd { (view.revision) }
            }
        }
    }
}

/// The staged versions and changes.
pub fn contents(links: &Links, view: &ReleaseSetView) -> Markup {
    const COLUMNS: [&str; 5] = ["Crate", "Version", "Change", "Size", "Staged"];
    let (is_open, is_published) = (view.state == "open", view.state == "approved");
    html! {
        @if view.versions.is_empty() && view.changes.is_empty() {
            p { @if is_open { "It is empty." } @else { "It was empty." } }
        } @else {
            div class="scroll" {
                table class="jobs" role="table" {
                    caption { "Versions and changes of the set" }
                    thead role="rowgroup" {
                        tr role="row" { @for column in COLUMNS { th scope="col" role="columnheader" { (column) } } }
                    }
                    tbody role="rowgroup" {
                        @for one in &view.versions {
                            tr role="row" {
                                th scope="row" role="rowheader" { (name(&one.krate)) }
                                td role="cell" { (name(&one.version)) }
                                td role="cell" {
                                    @if is_open {
                                        a href=(links.staged(&view.name, &one.krate, &one.version)) {
                                            "What changes" span class="aside" { " in " (one.krate) " " (one.version) }
                                        }
                                    } @else if is_published {
                                        a href=(links.version(&one.krate, &one.version)) {
                                            "Published" span class="aside" { ": " (one.krate) " " (one.version) }
                                        }
                                    } @else { "publish" }
                                }
                                td role="cell" { (size(one.size)) }
                                td role="cell" {
                                    @if let Some(at) = one.staged_at { (ago(at)) " " }
                                    "by " (name(&one.staged_by))
                                    @if let Some(token) = &one.token { " with the token " (name(token)) }
                                }
                            }
                        }
                        @for one in &view.changes {
                            tr role="row" {
                                th scope="row" role="rowheader" { a href=(links.krate(&one.krate)) { (name(&one.krate)) } }
                                td role="cell" { (name(&one.version)) }
                                td role="cell" {
                                    (one.change) @if let Some(message) = &one.message { ": " (text(message)) }
                                }
                                td role="cell" { "–" }
                                td role="cell" {
                                    @if let Some(at) = one.staged_at { (ago(at)) " " }
                                    @if let Some(by) = &one.staged_by { "by " (name(by)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How to publish into the set, to build with it and to decide it in a shell.
pub fn use_it(member: &Member, view: &ReleaseSetView) -> Markup {
    let base = member.links().base_url();
    let api = format!("{base}/api/v1/release-sets/{}", view.name);
    let publish = format!(
        "export CARGO_REGISTRIES_SUPERCARGO_INDEX={}\ncargo publish --workspace --registry supercargo",
        view.index
    );
    let approve = format!(
        "curl -X PUT -H \"Authorization: $TOKEN\" '{api}/approve?revision={revision}'",
        revision = view.revision
    );
    html! {
        h2 { "In a shell" }
        p {
            "The index of the set is the main index with the set on top. Publish into it, or build with it (the variable and \
             the option have the name of this registry in your " code { ".cargo/config.toml" } "; it is in capitals in the variable):"
        }
        (copy::block("publish", &publish))
        p { "Take everything out, before you publish all of it again:" }
        (copy::block("empty", &format!("curl -X DELETE -H \"Authorization: $TOKEN\" {api}/crates")))
        @if !view.versions.is_empty() || !view.changes.is_empty() {
            p { "Approve what this page shows:" }
            (copy::block("approve-line", &approve))
        }
    }
}
