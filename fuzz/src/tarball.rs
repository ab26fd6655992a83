//! The reader of `.crate` files, compared with what cargo unpacks.
//!
//! - `g`: the file unchanged.
//! - `t`: the tar archive in it; its headers get correct checksums.
//! - `e`: entries with a separator between them: the type's letter, the path, 0x1f, the content. They become an archive.

use std::collections::BTreeSet;
use std::io::Read;

use supercargo::package::tarball;
use supercargo::package::{Limits, characters};
use tar::{Archive, Builder, EntryType, Header};

use super::{SEPARATOR, check_message, gzip};

const BLOCK: usize = 512;
const UNIT: u8 = 0x1f;
const ROOT: &str = "foo-1.2.3";

fn limits() -> Limits {
    Limits {
        max_unpacked: 128 * 1024,
        max_entries: 48,
        max_path: 160,
        max_paths: 2 * 1024,
        max_manifest: 2 * 1024,
        ..Limits::default()
    }
}

pub fn run(data: &[u8]) -> bool {
    match data.split_first() {
        Some((b'g', crate_file)) => walk(crate_file, None),
        _ => archive(data).is_some_and(|archive| walk(&gzip(&archive), Some(&archive))),
    }
}

/// The `.crate` file of an input.
pub fn crate_file(data: &[u8]) -> Option<Vec<u8>> {
    match data.split_first() {
        Some((b'g', crate_file)) => Some(crate_file.to_vec()),
        _ => archive(data).map(|archive| gzip(&archive)),
    }
}

/// The tar archive in it.
fn archive(data: &[u8]) -> Option<Vec<u8>> {
    match data.split_first()? {
        (b't', data) => {
            let mut archive = data.to_vec();
            mend(&mut archive);
            Some(archive)
        }
        (b'e', data) => Some(built(data)),
        _ => None,
    }
}

/// Gives every header its checksum, and the archive its end mark.
fn mend(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + BLOCK) {
        let mut header = Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let Ok(size) = header.entry_size().map(|size| usize::try_from(size).unwrap_or(usize::MAX)) else { break };
        let Some(next) = size.checked_next_multiple_of(BLOCK).and_then(|size| at.checked_add(BLOCK + size)) else {
            break;
        };
        at = next;
    }
    archive.extend([0; 2 * BLOCK]);
}

fn built(data: &[u8]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for entry in data.split(|byte| *byte == SEPARATOR) {
        let mut parts = entry.splitn(2, |byte| *byte == UNIT);
        let Some((kind, path)) = parts.next().and_then(<[u8]>::split_first) else { continue };
        let content = parts.next().unwrap_or_default();
        let mut header = Header::new_gnu();
        let name = &mut header.as_old_mut().name;
        let length = path.len().min(name.len());
        name[..length].copy_from_slice(&path[..length]);
        header.set_entry_type(EntryType::new(*kind));
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append(&header, content).expect("memory takes every byte");
    }
    archive.into_inner().expect("memory takes every byte")
}

fn walk(crate_file: &[u8], archive: Option<&[u8]>) -> bool {
    let name = "foo".parse().expect("a name");
    let version = "1.2.3".parse().expect("a version");
    match tarball::read(crate_file, &name, &version, &limits()).map(|tarball| tarball.manifest) {
        Err(error) => {
            check_message(&error.to_string());
            false
        }
        Ok(manifest) => {
            assert!(manifest.len() as u64 <= limits().max_manifest);
            if let Some(archive) = archive {
                check_as_unpacked(archive, &manifest);
            }
            true
        }
    }
}

/// Checks that cargo's library, which reads extension records itself, unpacks an accepted file to the same manifest and
/// nowhere else.
fn check_as_unpacked(archive: &[u8], manifest: &str) {
    let mut archive = Archive::new(archive);
    let mut seen = BTreeSet::new();
    let mut found = None;
    for entry in archive.entries().expect("it was read before") {
        let mut entry = entry.expect("it was read before");
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("a path is UTF-8");
        let kind = entry.header().entry_type();
        assert!(matches!(kind, EntryType::Regular | EntryType::Directory), "{kind:?} {path}");
        let plain = path.strip_suffix('/').unwrap_or(&path);
        assert!(plain == ROOT || plain.starts_with(&format!("{ROOT}/")), "{path}");
        assert!(plain.split('/').all(|component| !matches!(component, "" | "." | "..")), "{path}");
        assert!(!plain.contains(['\\', ':']) && characters::check_path(plain).is_ok(), "{path:?}");
        assert!(seen.insert(plain.to_lowercase()), "{path} twice");
        assert!(plain.split('/').all(|component| !component.eq_ignore_ascii_case(".cargo-ok")), "{path}");
        assert!(kind.is_file() || entry.size() == 0, "{path} is a directory with contents");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it was read before");
        if plain == format!("{ROOT}/Cargo.toml") {
            assert_eq!(kind, EntryType::Regular);
            found = Some(content);
        }
    }
    assert_eq!(found.as_deref(), Some(manifest.as_bytes()));
}
