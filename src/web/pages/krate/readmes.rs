//! READMEs as HTML. Each is rendered once, and kept as long as there is room.

use std::sync::Arc;

use super::packaged::Packaged;
use super::reading::{Reading, Readme};
use crate::markdown::{self, Folder};
use crate::web::pages::links::Links;
use crate::web::{ApiError, App};

/// The README that was read as HTML.
pub async fn html(app: &App, links: &Links, reading: &Reading) -> Result<Option<Arc<str>>, ApiError> {
    let (text, path) = match &reading.readme {
        Readme::None => return Ok(None),
        Readme::Rendered(html) => return Ok(Some(Arc::clone(html))),
        Readme::Text(text, path) => (text.clone(), path.clone().unwrap_or_default()),
    };
    let row = reading.found.version.row.clone();
    let packaged = Packaged::new(links, &reading.found);
    app.blocking(move |app| {
        let rendered = app.cpu_slots.run(|| markdown::render(&text, Folder::of(&path), Arc::new(packaged)));
        let html: Arc<str> = rendered.html().into();
        app.readme_pages.keep(&row, &html);
        Ok(Some(html))
    })
    .await
}
