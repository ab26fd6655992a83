//! A page that has one part of a version in full: its dependencies, or its features.

use axum::response::Response;
use maud::{Markup, html};

use crate::database::catalog::dependencies::{self, StoredDependency};
use crate::web::pages::layout::Page;
use crate::web::pages::parts::crate_head::{CrateHead, Tab, notices};
use crate::web::pages::parts::found::{self, Found};
use crate::web::pages::visit::Visit;
use crate::web::{ApiError, App};

/// A version with its dependencies, some of which are also its features.
pub struct Part {
    pub found: Found,
    pub dependencies: Vec<StoredDependency>,
}

impl Part {
    pub async fn read(app: &App, (name, num): (String, String)) -> Result<Self, ApiError> {
        app.with_connection(move |connection| {
            let found = found::version(connection, &name, &num)?;
            let dependencies = dependencies::of_version(connection, found.version.row.id)?;
            Ok::<_, ApiError>(Self { found, dependencies })
        })
        .await
    }

    /// The page. Without content it says that the version has none.
    pub fn show(&self, visit: &Visit, (tab, title): (Tab, &str), content: Option<Markup>) -> Response {
        let (links, name, row) = (visit.links(), &self.found.krate.row.name, &self.found.version.row);
        let head = CrateHead { links, name, num: &row.num, is_default: self.found.is_default, description: None, tab };
        let content = html! {
            (head.show(&notices(links, name, row, self.found.krate.default_version.as_ref())))
            h2 { (title) }
            @match content {
                Some(content) => { (content) }
                None => { p class="muted" { "This version has none." } }
            }
        };
        visit.show(Page::new(format!("{title} of {name} {}", row.num), content).unlisted())
    }
}
