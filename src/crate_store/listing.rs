//! What lies in a store, page by page.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::ObjectMeta;
use object_store::path::Path as Location;

use super::{CrateStore, CrateStoreError, QUARANTINE, location};
use crate::package::Checksum;

/// Files on a page.
const PAGE: usize = 1000;

/// A file as the store tells of it, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its place in the store, such as `ab/ab12….crate`.
    pub path: String,
    /// The checksum that its place promises; None if no crate file would stand there.
    pub checksum: Option<Checksum>,
    /// In bytes.
    pub size: u64,
    /// When it was stored.
    pub modified: DateTime<Utc>,
}

/// Pages of files, in no order that can be relied on. A file that comes or goes meanwhile may be there or not.
pub struct Listing {
    store: CrateStore,
    files: Option<BoxStream<'static, object_store::Result<ObjectMeta>>>,
    quarantined: bool,
}

impl Listing {
    /// The files below a directory, or all but those in quarantine.
    pub(super) fn new(store: &CrateStore, directory: Option<&str>) -> Self {
        let (prefix, quarantined) = (directory.map(Location::from), directory == Some(QUARANTINE));
        Self { store: store.clone(), files: Some(store.store.list(prefix.as_ref())), quarantined }
    }

    fn page(&mut self, mut files: BoxStream<'static, object_store::Result<ObjectMeta>>) -> Option<Page> {
        let gathered = self.store.wait_for(|| "the list of files".to_owned(), None, async {
            let mut page = Vec::new();
            while page.len() < PAGE {
                match files.next().await {
                    Some(Ok(file)) => page.push(file),
                    Some(Err(error)) => return Err(error),
                    None => return Ok((page, true)),
                }
            }
            Ok((page, false))
        });
        match gathered {
            Ok((page, ended)) if ended && page.is_empty() => None,
            Ok((page, ended)) => {
                self.files = (!ended).then_some(files);
                Some(Ok(page.into_iter().filter_map(|file| stored(file, self.quarantined)).collect()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

type Page = Result<Vec<StoredFile>, CrateStoreError>;

/// After an error there are no more pages.
impl Iterator for Listing {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        let files = self.files.take()?;
        self.page(files)
    }
}

fn stored(file: ObjectMeta, quarantined: bool) -> Option<StoredFile> {
    let place = file.location.as_ref();
    let in_quarantine = place.strip_prefix(QUARANTINE).and_then(|place| place.strip_prefix('/'));
    // What was taken out of the way has the time in its name.
    let in_quarantine = in_quarantine.and_then(|place| Some(place.rsplit_once('@')?.0));
    let path = if quarantined { in_quarantine? } else { (!place.starts_with(QUARANTINE)).then_some(place)? };
    let name = path.rsplit('/').next().unwrap_or_default().strip_suffix(".crate");
    let checksum: Option<Checksum> = name.and_then(|name| name.parse().ok());
    let checksum = checksum.filter(|checksum| location(*checksum).as_ref() == path);
    Some(StoredFile { path: path.to_owned(), checksum, size: file.size, modified: file.last_modified })
}
