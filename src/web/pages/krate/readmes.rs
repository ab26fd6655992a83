//! READMEs as HTML. Each is rendered once, and kept as long as there is room.

use std::sync::Arc;

use super::packaged::Packaged;
use super::reading::{Reading, Readme};
use crate::markdown::{self, Folder};
use crate::web::pages::links::Links;
use crate::web::sources::{self, Package};
use crate::web::{ApiError, App, ClientAddress};

/// The README that was read as HTML. A README that has relative links is rendered again with the package, which says what
/// they lead to; if the package cannot be read now, they lead to it all the same, and the next request tries again.
pub async fn html(
    app: &App,
    links: &Links,
    client: ClientAddress,
    reading: &Reading,
) -> Result<Option<Arc<str>>, ApiError> {
    let (text, path) = match &reading.readme {
        Readme::None => return Ok(None),
        Readme::Rendered(html) => return Ok(Some(Arc::clone(html))),
        Readme::Text(text, path) => (Arc::<str>::from(text.as_str()), path.clone().unwrap_or_default()),
    };
    let row = &reading.found.version.row;
    let packaged = Arc::new(Packaged::new(links, &reading.found));
    let mut html = render(app, &text, &path, &packaged).await?;
    if packaged.needs_the_package() {
        let package = Package::new(&reading.found.krate.row.name, &row.num, row.checksum);
        match sources::open(app, client, &package).await {
            Ok(source) => html = render(app, &text, &path, &Arc::new(packaged.opened(source))).await?,
            Err(error) => {
                tracing::debug!(name = %package.name, version = %package.num, %error, "links of a README without its package");
                return Ok(Some(html));
            }
        }
    }
    app.readme_pages.keep(row, &html);
    Ok(Some(html))
}

async fn render(app: &App, text: &Arc<str>, path: &str, packaged: &Arc<Packaged>) -> Result<Arc<str>, ApiError> {
    let (text, folder, packaged) = (Arc::clone(text), Folder::of(path), Arc::clone(packaged));
    app.blocking(move |app| Ok(app.cpu_slots.run(|| markdown::render(&text, folder, packaged)).html().into())).await
}
