//! Reading a bundle. Every file is hashed, and every line held against its crate file, before anything is taken from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::description::{DESCRIPTION, Description, FORMAT, Source};
use super::error::{BundleError, at};
use super::sums::{SUMS, Sums, parse};
use crate::package::checksum::Digest;
use crate::package::{Checksum, CrateName, Version};
use crate::upstream_cache::lines;

/// A bundle whose files are those of its checksums.
#[derive(Debug)]
pub struct Bundle {
    pub description: Description,
    pub sources: Vec<BundledSource>,
}

/// The crates of one registry.
#[derive(Debug)]
pub struct BundledSource {
    pub source: Source,
    pub crates: Vec<BundledCrate>,
}

/// The versions of a crate.
#[derive(Debug)]
pub struct BundledCrate {
    /// The path of its file in an index.
    pub path: String,
    /// The file.
    pub content: Bytes,
    pub versions: Vec<BundledVersion>,
}

/// A version, and where its crate file is.
#[derive(Debug)]
pub struct BundledVersion {
    pub name: CrateName,
    pub version: Version,
    pub checksum: Checksum,
    pub file: PathBuf,
}

impl Bundle {
    /// Reads and checks a bundle. Nothing in it is changed.
    pub fn read(directory: &Path) -> Result<Self, BundleError> {
        let text = text(directory, DESCRIPTION)?;
        let file = directory.join(DESCRIPTION);
        let unreadable =
            |error: serde_json::Error| BundleError::Description { path: file.clone(), problem: error.to_string() };
        // Another format may have other fields.
        let found: serde_json::Value = serde_json::from_str(&text).map_err(unreadable)?;
        match found["format"].as_u64().map(u32::try_from) {
            Some(Ok(FORMAT)) => {}
            Some(Ok(format)) => return Err(BundleError::Format(format, FORMAT)),
            _ => return Err(BundleError::Description { path: file, problem: "it has no format".to_owned() }),
        }
        let description: Description = serde_json::from_value(found).map_err(unreadable)?;
        let sums = parse(&self::text(directory, SUMS)?)?;
        check_files(directory, &sums)?;
        let mut unused: BTreeSet<&String> = sums.keys().filter(|path| path.ends_with(".crate")).collect();
        let mut sources = Vec::new();
        for source in &description.sources {
            let crates = crates(directory, source, &sums, &mut unused)?;
            sources.push(BundledSource { source: source.clone(), crates });
        }
        match unused.first() {
            Some(path) => Err(BundleError::NoLine((*path).clone())),
            None => Ok(Self { description, sources }),
        }
    }
}

fn text(directory: &Path, name: &'static str) -> Result<String, BundleError> {
    let path = directory.join(name);
    match fs::read_to_string(&path) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Err(BundleError::NoBundle { directory: directory.to_owned(), file: name })
        }
        read => read.map_err(at(&path)),
    }
}

/// Checks that the files of the directory are those of the checksums, and no others.
fn check_files(directory: &Path, sums: &Sums) -> Result<(), BundleError> {
    let mut there = BTreeSet::new();
    walk(directory, "", &mut there)?;
    if let Some(missing) = sums.keys().find(|path| !there.contains(*path)) {
        return Err(BundleError::Missing(missing.clone()));
    }
    if let Some(extra) = there.iter().find(|path| *path != SUMS && !sums.contains_key(*path)) {
        return Err(BundleError::Extra(extra.clone()));
    }
    for (path, expected) in sums {
        let found = digest(&directory.join(path))?;
        if found != *expected {
            let (found, expected) = (found.to_string(), expected.to_string());
            return Err(BundleError::Damaged { path: path.clone(), found, expected });
        }
    }
    Ok(())
}

fn walk(directory: &Path, below: &str, found: &mut BTreeSet<String>) -> Result<(), BundleError> {
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let entry = entry.map_err(at(directory))?;
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(at(&entry.path()))?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if kind.is_file() {
            found.insert(path);
        } else {
            return Err(BundleError::NoFile(path));
        }
    }
    Ok(())
}

fn digest(path: &Path) -> Result<Checksum, BundleError> {
    let (mut opened, mut digest) = (File::open(path).map_err(at(path))?, Digest::default());
    let mut piece = vec![0; 256 * 1024];
    loop {
        match opened.read(&mut piece).map_err(at(path))? {
            0 => return Ok(digest.finish().0),
            length => digest.update(&piece[..length]),
        }
    }
}

/// The crates of a source. Their crate files are taken out of those that are not used.
fn crates(
    directory: &Path,
    source: &Source,
    sums: &Sums,
    unused: &mut BTreeSet<&String>,
) -> Result<Vec<BundledCrate>, BundleError> {
    let below = if source.directory == "." { String::new() } else { format!("{}/", source.directory) };
    let index = format!("{below}index/");
    let files: BTreeMap<&str, &String> =
        sums.keys().filter_map(|path| Some((path.strip_prefix(&index)?, path))).collect();
    let mut crates = Vec::new();
    for (path, file) in files {
        let place = directory.join(file);
        let content = Bytes::from(fs::read(&place).map_err(at(&place))?);
        let problem = |problem: String| BundleError::Index { path: file.clone(), problem };
        lines::check(&content, path).map_err(|error| problem(error.to_string()))?;
        let mut versions = Vec::new();
        for (_, line) in lines::lines(&content) {
            let Some(line) = line else { continue };
            let parsed = line.name.parse().ok().zip(line.vers.parse().ok()).zip(line.cksum.parse().ok());
            let ((name, version), checksum): ((CrateName, Version), Checksum) =
                parsed.ok_or_else(|| problem(format!("the version {:?} cannot be read", line.vers)))?;
            let crate_file = format!("{below}{name}-{version}.crate");
            let (label, expected) = (format!("{name}@{version}"), checksum.to_string());
            match sums.get(&crate_file) {
                None => return Err(BundleError::NoCrate { path: crate_file, version: label }),
                Some(found) if *found != checksum => {
                    let found = found.to_string();
                    return Err(BundleError::Contradiction { path: crate_file, version: label, found, expected });
                }
                Some(_) => drop(unused.remove(&crate_file)),
            }
            versions.push(BundledVersion { name, version, checksum, file: directory.join(crate_file) });
        }
        crates.push(BundledCrate { path: path.to_owned(), content, versions });
    }
    Ok(crates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Part, Writer};

    /// A bundle with `foo` 1.0.0.
    fn written(place: &Path) {
        let (name, version) = ("foo".parse().unwrap(), "1.0.0".parse().unwrap());
        let content = b"the file of foo";
        let line = format!("{{\"name\":\"foo\",\"vers\":\"1.0.0\",\"cksum\":\"{}\"}}", Checksum::of(content));
        let mut writer = Writer::begin(place, 0o755).unwrap();
        let mut part = Part::new("crates-io", ".", "sparse+https://index.crates.io/", None);
        writer.add(&mut part, (&name, &version), line.into(), content).unwrap();
        writer.finish(vec![part]).unwrap();
    }

    fn refused(place: &Path) -> String {
        Bundle::read(place).unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_is_read_back_and_its_place_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("bundle");
        fs::create_dir(&place).unwrap();
        written(&place);
        let bundle = Bundle::read(&place).unwrap();
        let [source] = &bundle.sources[..] else { panic!("{bundle:?}") };
        assert_eq!((source.source.crates, source.source.versions, source.source.bytes), (1, 1, 15));
        assert_eq!(source.crates[0].path, "3/f/foo");
        assert_eq!(source.crates[0].versions[0].checksum, Checksum::of(b"the file of foo"));
        assert!(matches!(Writer::begin(&place, 0o755), Err(BundleError::NotEmpty(_))));
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    /// What is done to a bundle, and what is said of it.
    type Damage = (fn(&Path), &'static str);

    #[test]
    fn damage_is_found_whatever_it_is() {
        let damages: [Damage; 8] = [
            (|place| fs::write(place.join("foo-1.0.0.crate"), "other").unwrap(), "foo-1.0.0.crate is damaged"),
            (
                |place| fs::remove_file(place.join("foo-1.0.0.crate")).unwrap(),
                "is incomplete: foo-1.0.0.crate is in SHA256SUMS",
            ),
            (|place| fs::write(place.join("bar-1.0.0.crate"), "").unwrap(), "bar-1.0.0.crate is not in SHA256SUMS"),
            (|place| fs::write(place.join("index/3/f/foo"), "{}").unwrap(), "index/3/f/foo is damaged"),
            (|place| fs::remove_file(place.join(SUMS)).unwrap(), "is no bundle: it has no SHA256SUMS"),
            (|place| fs::remove_file(place.join(DESCRIPTION)).unwrap(), "is no bundle: it has no bundle.json"),
            (|place| fs::write(place.join(DESCRIPTION), "{\"format\":2}").unwrap(), "has the format 2"),
            (|place| std::os::unix::fs::symlink("/etc", place.join("link")).unwrap(), "link is no file"),
        ];
        for (damage, expected) in damages {
            let directory = tempfile::tempdir().unwrap();
            let place = directory.path().join("bundle");
            written(&place);
            damage(&place);
            assert!(refused(&place).contains(expected), "{expected}: {}", refused(&place));
        }
    }

    /// Changes a file together with its checksum.
    fn forge(place: &Path, path: &str, content: Option<&str>) {
        let mut sums = parse(&fs::read_to_string(place.join(SUMS)).unwrap()).unwrap();
        match content {
            Some(content) => {
                fs::write(place.join(path), content).unwrap();
                sums.insert(path.to_owned(), Checksum::of(content.as_bytes()));
            }
            None => {
                fs::remove_file(place.join(path)).unwrap();
                sums.remove(path);
            }
        }
        fs::write(place.join(SUMS), super::super::sums::to_text(&sums)).unwrap();
    }

    #[test]
    fn a_bundle_with_right_sums_is_held_against_its_index() {
        let cases: [(&str, Option<&str>, &str); 4] = [
            ("foo-1.0.0.crate", Some("other"), "and the index line of foo@1.0.0 says"),
            ("foo-1.0.0.crate", None, "but there is no foo-1.0.0.crate"),
            ("index/3/f/foo", None, "foo-1.0.0.crate has no line in the index"),
            ("index/3/f/foo", Some("<html>"), "index/3/f/foo is no index file"),
        ];
        for (path, content, expected) in cases {
            let directory = tempfile::tempdir().unwrap();
            let place = directory.path().join("bundle");
            written(&place);
            forge(&place, path, content);
            assert!(refused(&place).contains(expected), "{expected}: {}", refused(&place));
        }
    }
}
