//! Writing a bundle: into a directory beside its place, which gets its name when it is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::Utc;
use tempfile::TempDir;

use super::description::{DESCRIPTION, Description, FORMAT, Source};
use super::error::{BundleError, at};
use super::readme::{README, readme};
use super::sums::{SUMS, Sums, to_text};
use crate::package::index_path::index_path;
use crate::package::{Checksum, CrateName, Version};

/// The crates of one registry, in a bundle that is written.
pub struct Part {
    source: Source,
    /// The lines by the paths of their files.
    lines: BTreeMap<String, Vec<Bytes>>,
}

/// A bundle that is written. Dropping it removes what was written.
pub struct Writer {
    place: PathBuf,
    directory: TempDir,
    /// That of directories.
    mode: u32,
    sums: Sums,
}

impl Part {
    /// Without crates yet; `directory` is `.` for the only one.
    pub fn new(name: &str, directory: &str, index: &str, replaces: Option<String>) -> Self {
        let (name, directory, index) = (name.to_owned(), directory.to_owned(), index.to_owned());
        let source = Source { name, directory, index, replaces, crates: 0, versions: 0, bytes: 0 };
        Self { source, lines: BTreeMap::new() }
    }

    fn path(&self, below: &str) -> String {
        if self.source.directory == "." { below.to_owned() } else { format!("{}/{below}", self.source.directory) }
    }
}

impl Writer {
    /// Begins a bundle, whose directories get a mode. Its place must not exist, or be an empty directory.
    pub fn begin(place: &Path, mode: u32) -> Result<Self, BundleError> {
        let place = std::path::absolute(place).map_err(at(place))?;
        match fs::read_dir(&place).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => return Err(BundleError::NotEmpty(place)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&place)(error)),
        }
        let parent = place.parent().unwrap_or(&place).to_owned();
        fs::create_dir_all(&parent).map_err(at(&parent))?;
        let directory = tempfile::Builder::new().prefix(".bundle-").tempdir_in(&parent).map_err(at(&parent))?;
        Ok(Self { place, directory, mode, sums: Sums::new() })
    }

    /// Adds a version: its line in the index, and its crate file.
    pub fn add(
        &mut self,
        part: &mut Part,
        (name, version): (&CrateName, &Version),
        line: Bytes,
        content: &[u8],
    ) -> Result<(), BundleError> {
        part.lines.entry(format!("index/{}", index_path(name))).or_default().push(line);
        self.write(&part.path(&format!("{name}-{version}.crate")), content)?;
        part.source.versions += 1;
        part.source.bytes += content.len() as u64;
        Ok(())
    }

    /// Completes the bundle, and gives it its name.
    pub fn finish(mut self, parts: Vec<Part>) -> Result<Description, BundleError> {
        let mut sources = Vec::new();
        for mut part in parts {
            part.source.crates = part.lines.len() as u64;
            for (path, lines) in &part.lines {
                let content: Vec<u8> = lines.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect();
                self.write(&part.path(path), &content)?;
            }
            sources.push(part.source);
        }
        let created_by = format!("supercargo {}", env!("CARGO_PKG_VERSION"));
        let description = Description { format: FORMAT, created_at: Utc::now(), created_by, sources };
        let mut text = serde_json::to_vec_pretty(&description)
            .map_err(|error| BundleError::Description { path: DESCRIPTION.into(), problem: error.to_string() })?;
        text.push(b'\n');
        self.write(DESCRIPTION, &text)?;
        self.write(README, readme(&description).as_bytes())?;
        let sums = to_text(&self.sums);
        self.write(SUMS, sums.as_bytes())?;
        self.name()?;
        Ok(description)
    }

    fn write(&mut self, path: &str, content: &[u8]) -> Result<(), BundleError> {
        let file = self.directory.path().join(path);
        let directory = file.parent().unwrap_or(self.directory.path());
        fs::create_dir_all(directory).map_err(at(directory))?;
        let mut opened = File::create(&file).map_err(at(&file))?;
        let permissions = Permissions::from_mode(self.mode & 0o666);
        let written = opened.write_all(content).and_then(|()| opened.set_permissions(permissions));
        written.and_then(|()| opened.sync_all()).map_err(at(&file))?;
        self.sums.insert(path.to_owned(), Checksum::of(content));
        Ok(())
    }

    fn name(self) -> Result<(), BundleError> {
        let mut directories = BTreeSet::from([self.directory.path().to_owned()]);
        for path in self.sums.keys() {
            let above = Path::new(path).ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
            directories.extend(above.map(|above| self.directory.path().join(above)));
        }
        for directory in &directories {
            fs::set_permissions(directory, Permissions::from_mode(self.mode)).map_err(at(directory))?;
            File::open(directory).and_then(|opened| opened.sync_all()).map_err(at(directory))?;
        }
        // An empty directory is replaced; one that was filled meanwhile is not.
        fs::rename(self.directory.path(), &self.place).map_err(at(&self.place))?;
        let _ = self.directory.keep();
        let parent = self.place.parent().unwrap_or(&self.place);
        File::open(parent).and_then(|opened| opened.sync_all()).map_err(at(parent))
    }
}
