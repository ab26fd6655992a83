//! READMEs as HTML. Each is rendered once, and kept as long as there is room.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::packaged::Packaged;
use super::reading::{Reading, Readme};
use crate::database::catalog::version_details::VersionRow;
use crate::markdown::{self, Folder};
use crate::package::Checksum;
use crate::web::pages::links::Links;
use crate::web::{ApiError, App};

/// Bytes of HTML that are kept.
const ROOM: u64 = 32 * 1024 * 1024;
/// About how many READMEs that is.
const NUMBER: usize = 4 * 1024;

/// The README of a version, which is that of its file.
type Key = (i32, Checksum);

/// The READMEs that were rendered.
#[derive(Clone)]
pub struct ReadmePages(Arc<Cache<Key, Arc<str>, Length>>);

#[derive(Clone)]
struct Length;

impl Weighter<Key, Arc<str>> for Length {
    fn weight(&self, _: &Key, html: &Arc<str>) -> u64 {
        html.len() as u64 + 200
    }
}

impl Default for ReadmePages {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(NUMBER, ROOM, Length)))
    }
}

impl ReadmePages {
    /// The README of a version, if it was rendered before.
    pub fn get(&self, row: &VersionRow) -> Option<Arc<str>> {
        self.0.get(&(row.id, row.checksum))
    }

    fn keep(&self, row: &VersionRow, html: &Arc<str>) {
        self.0.insert((row.id, row.checksum), Arc::clone(html));
    }
}

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
