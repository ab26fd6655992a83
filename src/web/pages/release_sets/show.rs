//! `GET /release-sets/{set}`: a release set, and what can be done with it.

use axum::response::Response;
use maud::html;

use super::decision;
use super::facts::{contents, facts, heading, use_it};
use crate::database::staging::view::ReleaseSetView;
use crate::jobs::RequestError;
use crate::web::ApiError;
use crate::web::extract::path::ApiPath;
use crate::web::pages::layout::Page;
use crate::web::pages::member::Member;
use crate::web::release_sets::{Part, part, set_name, view, visible};

pub async fn show(member: Member, ApiPath(set): ApiPath<String>) -> Result<Response, ApiError> {
    let (name, caller) = (set_name(&set)?, member.caller.clone());
    let found = member.app.with_connection(move |connection| {
        let set = visible(connection, &name, &caller)?;
        let part = part(connection, &set, &caller)?;
        Ok::<_, RequestError>((set, part))
    });
    let (set, part) = found.await?;
    let view = view(&member.app, set, &member.caller).await?;
    Ok(page(&member, &view, part))
}

fn page(member: &Member, view: &ReleaseSetView, part: Part) -> Response {
    let links = member.links();
    let is_open = view.state == "open";
    let content = html! {
        (heading(links, view))
        (facts(view))
        h2 id="contents" { "Contents" }
        (contents(links, view))
        @if is_open {
            (decision::section(member, view, part))
            (use_it(member, view))
        }
    };
    member.visit.show(Page::new(format!("Release set {}", view.name), content).unlisted())
}
