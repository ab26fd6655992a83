//! The directory of packs: which are there, which are made, and which are removed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tempfile::NamedTempFile;

use super::error::SourceError;
use super::making::{self, BOUNDS};
use super::package::SourcePackage;
use crate::crate_store::CrateStore;
use crate::package::{Checksum, CrateName, Version};

/// The ending of a pack's name. A new form of packs gets another one, and the old packs are removed as they age.
const ENDING: &str = ".pack1";
/// The beginning of the name of an unfinished pack.
const UNFINISHED: &str = "unfinished-";
/// The memory for open packs, in bytes.
const OPEN: u64 = 32 * 1024 * 1024;
/// What an open pack counts at least, in bytes: it has an open file, of which a process has not many.
const OPEN_PACK: u64 = 512 * 1024;

/// Reads the files of packages. Clones share the cache.
#[derive(Clone)]
pub struct SourceCache(Arc<Parts>);

struct Parts {
    store: CrateStore,
    directory: PathBuf,
    /// How many bytes the packs may have together.
    max_bytes: u64,
    open: Cache<Checksum, Arc<SourcePackage>, ByWeight>,
}

/// The package of a version: its crate file, and the directory in it that everything is below.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PackageId {
    /// The checksum of the crate file.
    pub checksum: Checksum,
    /// Name and version, as cargo joins them.
    root: String,
}

impl PackageId {
    /// The package of this version, in the spelling of its publish.
    pub fn new(name: &CrateName, version: &Version, checksum: Checksum) -> Self {
        Self { checksum, root: format!("{name}-{version}") }
    }

    /// A package without files: what a new crate is compared with.
    pub fn nothing() -> Self {
        Self { checksum: Checksum::from_bytes([0; 32]), root: String::new() }
    }

    fn is_nothing(&self) -> bool {
        self.root.is_empty()
    }
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Checksum, Arc<SourcePackage>> for ByWeight {
    fn weight(&self, _checksum: &Checksum, package: &Arc<SourcePackage>) -> u64 {
        package.weight().max(OPEN_PACK)
    }
}

impl SourceCache {
    /// A cache in this directory, which is created when it is needed. `max_bytes` is the size of all packs together; with 0
    /// each is removed as soon as it is not in use.
    pub fn new(store: CrateStore, directory: PathBuf, max_bytes: u64) -> Self {
        let mut options = OptionsBuilder::new();
        // One share, because a listing may have several megabytes.
        options.estimated_items_capacity((OPEN / OPEN_PACK) as usize).weight_capacity(OPEN).shards(1);
        let options = options.build().expect("both capacities are set"); // the only ones without a default
        let open = Cache::with_options(options, ByWeight, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self(Arc::new(Parts { store, directory, max_bytes, open }))
    }

    /// Reads from a package, whose pack is made first if there is none. A pack that turns out to be damaged is made again.
    /// Requests for one package wait for one of them to make its pack.
    ///
    /// # Errors
    ///
    /// A [`SourceError`], or an error of `read`.
    pub fn with<T>(
        &self,
        id: &PackageId,
        mut read: impl FnMut(&SourcePackage) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        match read(&*self.package(id)?) {
            Err(SourceError::Damaged) => {
                tracing::warn!(checksum = %id.checksum, "a file of the source cache is damaged: it is made again");
                self.discard(id);
                read(&*self.package(id)?)
            }
            done => done,
        }
    }

    /// The package, if it is open already.
    pub fn recall(&self, id: &PackageId) -> Option<Arc<SourcePackage>> {
        self.0.open.get(&id.checksum)
    }

    /// The open package, as long as the caller keeps it.
    ///
    /// # Errors
    ///
    /// A [`SourceError`].
    pub fn package(&self, id: &PackageId) -> Result<Arc<SourcePackage>, SourceError> {
        self.0.open.get_or_insert_with(&id.checksum, || self.0.open_or_make(id).map(Arc::new))
    }

    /// Removes the pack of a package.
    pub fn discard(&self, id: &PackageId) {
        self.0.open.remove(&id.checksum);
        let _ = fs::remove_file(self.0.path(id));
    }
}

impl Parts {
    fn path(&self, id: &PackageId) -> PathBuf {
        self.directory.join(format!("{}{ENDING}", id.checksum))
    }

    fn open_or_make(&self, id: &PackageId) -> Result<SourcePackage, SourceError> {
        if id.is_nothing() {
            return SourcePackage::without_files();
        }
        let path = self.path(id);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(file) => {
                // The time by which the oldest pack is found. On a disk that is read-only there is no need for it.
                let _ = file.set_modified(SystemTime::now());
                match SourcePackage::open(file) {
                    Err(SourceError::Damaged) => {
                        tracing::warn!(path = %path.display(), "a file of the source cache is damaged: it is made again");
                        let _ = fs::remove_file(&path);
                    }
                    opened => return opened,
                }
            }
        }
        self.make(id)
    }

    fn make(&self, id: &PackageId) -> Result<SourcePackage, SourceError> {
        let mut crate_file = self.store.reader(id.checksum)?.ok_or(SourceError::Missing)?;
        fs::create_dir_all(&self.directory)?;
        remove_leftovers(&self.directory)?;
        let pack = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.directory)?;
        // Held as long as the file is open, which is longer than it is unfinished.
        pack.as_file().try_lock().map_err(io::Error::from)?;
        let made = making::make(&mut crate_file, &id.root, pack.as_file(), BOUNDS);
        if let (Err(_), Some(failure)) = (&made, crate_file.failure()) {
            return Err(failure.into());
        }
        made?;
        self.keep(pack, &self.path(id))
    }

    /// Gives a pack its name, unless it alone is larger than all of them may be, and opens it.
    fn keep(&self, pack: NamedTempFile, path: &Path) -> Result<SourcePackage, SourceError> {
        let size = pack.as_file().metadata()?.len();
        let file = if size > self.max_bytes {
            pack.into_file()
        } else {
            self.make_room(size)?;
            match pack.persist(path) {
                Ok(file) => file,
                // Another process took it for a leftover before it was locked. What is open can be read nevertheless.
                Err(error) if error.error.kind() == io::ErrorKind::NotFound => error.file.into_file(),
                Err(error) => return Err(error.error.into()),
            }
        };
        SourcePackage::open(file)
    }

    /// Removes the packs that were opened longest ago until there is room for another one of this size.
    fn make_room(&self, size: u64) -> io::Result<()> {
        let mut packs = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let is_unfinished = entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
            // Another process may have removed it meanwhile.
            let Ok(found) = entry.metadata() else { continue };
            if found.is_file() && !is_unfinished {
                packs.push((found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.size(), entry.path()));
            }
        }
        packs.sort_unstable();
        let mut total = packs.iter().map(|(_, size, _)| size).sum::<u64>() + size;
        for (_, size, path) in packs {
            if total <= self.max_bytes {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= size,
            }
        }
        Ok(())
    }
}

/// Removes the unfinished packs of killed processes.
fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
