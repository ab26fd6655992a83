//! Reading packages: each function does its work in one of the slots for it, unless the result is in memory.

use std::sync::Arc;

use super::kept::Fragment;
use super::store::Package;
use crate::source::comparison::Comparison;
use crate::source::{SourceError, SourcePackage};
use crate::web::{ApiError, App, ClientAddress};

/// Reads from a package, on a thread that may block.
pub async fn read<T: Send + 'static>(
    app: &App,
    client: ClientAddress,
    package: &Package,
    mut read: impl FnMut(&SourcePackage) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, ApiError> {
    let package = package.clone();
    work(app, client, move |app| app.sources.cache.with(&package.id, &mut read).map_err(|error| package.failed(error)))
        .await
}

/// The open package. It takes no slot if it was in use recently.
pub async fn open(app: &App, client: ClientAddress, package: &Package) -> Result<Arc<SourcePackage>, ApiError> {
    if let Some(open) = app.sources.cache.recall(&package.id) {
        return Ok(open);
    }
    let package = package.clone();
    work(app, client, move |app| app.sources.cache.package(&package.id).map_err(|error| package.failed(error))).await
}

/// HTML that was rendered before, or else what `render` makes of the package.
pub async fn fragment(
    app: &App,
    client: ClientAddress,
    package: &Package,
    fragment: Fragment,
    mut render: impl FnMut(&SourcePackage) -> Result<String, SourceError> + Send + 'static,
) -> Result<Arc<str>, ApiError> {
    if let Some(html) = app.sources.kept.html(&fragment) {
        return Ok(html);
    }
    let html: Arc<str> = read(app, client, package, move |package| render(package)).await?.into();
    app.sources.kept.keep_html(fragment, &html);
    Ok(html)
}

/// What changed from one package to another, and both packages.
pub async fn compare(
    app: &App,
    client: ClientAddress,
    (before, after): (&Package, &Package),
) -> Result<Arc<Comparison>, ApiError> {
    let key = (before.id.checksum, after.id.checksum);
    if let Some(known) = app.sources.kept.comparison(key) {
        return Ok(known);
    }
    let (before, after) = (before.clone(), after.clone());
    let compared = work(app, client, move |app| {
        both(app, &before, &after, |one, other| Comparison::new(one, other, &app.settings.urls).map(Arc::new))
    });
    let compared = compared.await?;
    app.sources.kept.keep_comparison(key, &compared);
    Ok(compared)
}

/// HTML of two packages that was rendered before, or else what `render` makes of them.
pub async fn fragment_of_both(
    app: &App,
    client: ClientAddress,
    (before, after): (&Package, &Package),
    fragment: Fragment,
    mut render: impl FnMut(&SourcePackage, &SourcePackage) -> Result<String, SourceError> + Send + 'static,
) -> Result<Arc<str>, ApiError> {
    if let Some(html) = app.sources.kept.html(&fragment) {
        return Ok(html);
    }
    let (before, after) = (before.clone(), after.clone());
    let html: Arc<str> =
        work(app, client, move |app| both(app, &before, &after, |one, other| render(one, other))).await?.into();
    app.sources.kept.keep_html(fragment, &html);
    Ok(html)
}

fn both<T>(
    app: &App,
    before: &Package,
    after: &Package,
    mut read: impl FnMut(&SourcePackage, &SourcePackage) -> Result<T, SourceError>,
) -> Result<T, ApiError> {
    let cache = &app.sources.cache;
    // Opened before, so that an error is that of the package that cannot be read.
    for package in [before, after] {
        cache.package(&package.id).map_err(|error| package.failed(error))?;
    }
    let read = cache.with(&after.id, |after| cache.with(&before.id, |before| read(before, after)));
    read.map_err(|error| after.failed(error))
}

/// Runs work that counts for the client, in one of the slots for it.
async fn work<T: Send + 'static>(
    app: &App,
    client: ClientAddress,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let working = app.sources.work.begin(client).await?;
    app.blocking(move |app| working.run(|| work(app))).await
}
