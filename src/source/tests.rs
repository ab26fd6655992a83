//! Packs that are made, kept, damaged and removed, of packages of any kind.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::crate_store::CrateStore;
use crate::package::Checksum;

/// A store and a cache, in a directory of their own.
pub(super) struct Place {
    directory: tempfile::TempDir,
    store: CrateStore,
    max_bytes: u64,
}

impl Place {
    pub fn new(max_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = CrateStore::local(&directory.path().join("crates")).unwrap();
        Self { directory, store, max_bytes }
    }

    fn packs(&self) -> PathBuf {
        self.directory.path().join("packs")
    }

    /// A cache of another process, or of this one after a restart.
    pub fn cache(&self) -> SourceCache {
        SourceCache::new(self.store.clone(), self.packs(), self.max_bytes)
    }

    pub fn store(&self, crate_file: Vec<u8>) -> PackageId {
        let checksum = Checksum::of(&crate_file);
        self.store.put(checksum, crate_file.into()).unwrap();
        PackageId::new(&"foo".parse().unwrap(), &"1.0.0".parse().unwrap(), checksum)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.packs()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn pack(&self, id: &PackageId) -> PathBuf {
        self.packs().join(format!("{}.pack1", id.checksum))
    }
}

/// A crate file with these files of `foo 1.0.0`.
pub(super) fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
    archive(|builder| {
        for (path, content) in files {
            append(builder, &format!("foo-1.0.0/{path}"), EntryType::Regular, content);
        }
    })
}

fn archive(fill: impl FnOnce(&mut Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut builder);
    builder.into_inner().unwrap().finish().unwrap()
}

/// Appends an entry whose path is written as it is.
fn append(builder: &mut Builder<impl Write>, path: &str, kind: EntryType, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(if path.ends_with(".sh") { 0o755 } else { 0o644 });
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn read(cache: &SourceCache, id: &PackageId, path: &str) -> Option<Vec<u8>> {
    let content = cache.with(id, |package| {
        let Some(file) = package.listing().find(path) else { return Ok(None) };
        package.read(file).map(Some)
    });
    content.unwrap()
}

fn paths(cache: &SourceCache, id: &PackageId) -> Vec<String> {
    cache.with(id, |package| Ok(package.listing().files().map(|(path, _)| path.to_owned()).collect())).unwrap()
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn every_file_is_read_as_it_was_packaged_and_in_parts() {
    let place = Place::new(u64::MAX);
    let (large, odd) = (noise(300_000), "x".repeat(131_072));
    let files: [(&str, &[u8]); 6] = [
        ("Cargo.toml", b"[package]\n"),
        ("a/large.bin", &large),
        ("a/empty", b""),
        ("a/block", odd.as_bytes()),
        ("run.sh", b"#!/bin/sh\n"),
        ("latin.txt", b"gr\xf6\xdfe\n"),
    ];
    let id = place.store(package(&files));
    let cache = place.cache();
    assert!(cache.recall(&id).is_none());
    for (path, content) in files {
        assert_eq!(read(&cache, &id, path).as_deref(), Some(content), "{path}");
    }
    assert!(cache.recall(&id).is_some());
    assert_eq!(read(&cache, &id, "a"), None);
    let opened = cache.package(&id).unwrap();
    let facts = |path: &str| opened.listing().find(path).unwrap();
    assert!(facts("run.sh").is_executable && !facts("Cargo.toml").is_executable);
    assert_eq!(
        [facts("latin.txt").form, facts("a/empty").form, facts("a/large.bin").form],
        [Form::OtherText, Form::Text, Form::Binary]
    );
    assert_eq!(opened.read_text(facts("latin.txt")).unwrap(), "gr\u{fffd}\u{fffd}e\n");
    for part in [0..1, 131_071..131_073, 262_143..300_000, 299_999..400_000, 300_000..300_000, 5..5] {
        let mut found = Vec::new();
        let write = |piece: &[u8]| {
            found.extend_from_slice(piece);
            Ok::<_, SourceError>(())
        };
        opened.read_part(facts("a/large.bin"), part.clone(), write).unwrap();
        assert_eq!(found, large[part.start as usize..(part.end as usize).min(300_000)], "{part:?}");
    }
}

#[test]
fn a_pack_is_used_again_by_other_processes_and_after_a_restart() {
    let place = Place::new(u64::MAX);
    let id = place.store(package(&[("a", b"1")]));
    assert_eq!(read(&place.cache(), &id, "a").unwrap(), b"1");
    place.store.delete(id.checksum).unwrap();
    assert_eq!(read(&place.cache(), &id, "a").unwrap(), b"1", "read from the pack alone");
    place.cache().discard(&id);
    let missing = place.cache().package(&id).unwrap_err();
    assert!(matches!(missing, SourceError::Missing), "{missing}");
}

#[test]
fn a_pack_that_is_cut_off_or_damaged_anywhere_is_made_again() {
    let place = Place::new(u64::MAX);
    let content = noise(200_000);
    let id = place.store(package(&[("a", &content), ("b", b"text\n")]));
    assert_eq!(read(&place.cache(), &id, "a").unwrap(), content);
    let good = fs::read(place.pack(&id)).unwrap();
    let check = |damaged: &[u8], what: &str| {
        fs::write(place.pack(&id), damaged).unwrap();
        let cache = place.cache();
        assert_eq!(read(&cache, &id, "a").as_deref(), Some(&content[..]), "{what}");
        assert_eq!(read(&cache, &id, "b").as_deref(), Some(&b"text\n"[..]), "{what}");
        assert_eq!(fs::read(place.pack(&id)).unwrap(), good, "{what}");
    };
    for end in [0, 1, 7, 8, 100, good.len() / 2, good.len() - 44, good.len() - 8, good.len() - 1] {
        check(&good[..end], &format!("cut off at {end}"));
    }
    let tail = good.len() - 400..good.len();
    for place in [0, 8, 1000, 131_080, 140_000, 190_000].into_iter().chain(tail.step_by(7)).filter(|place| *place >= 8)
    {
        let mut damaged = good.clone();
        damaged[place] ^= 0x10;
        check(&damaged, &format!("byte {place}"));
    }
    check(&[&good[..], b"more"].concat(), "longer");
}

#[test]
fn damage_is_found_under_a_package_that_is_open() {
    let place = Place::new(u64::MAX);
    let content = noise(200_000);
    let id = place.store(package(&[("a", &content)]));
    let cache = place.cache();
    assert_eq!(read(&cache, &id, "a").unwrap(), content);
    let file = fs::OpenOptions::new().write(true).open(place.pack(&id)).unwrap();
    file.set_len(5000).unwrap();
    assert_eq!(read(&cache, &id, "a").unwrap(), content);
}

#[test]
fn the_packs_that_were_opened_longest_ago_make_room_for_others() {
    let place = Place::new(250_000);
    let ids: Vec<_> = (0..3).map(|number| place.store(package(&[("a", &noise(100_000 + number))]))).collect();
    let use_now = |number: usize| read(&place.cache(), &ids[number], "a").unwrap().len();
    let tick = || {
        // The time of a file has no finer unit on some file systems.
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    for number in [0, 1, 0, 2] {
        assert_eq!(use_now(number), 100_000 + number);
        tick();
    }
    let mut kept = [&ids[0], &ids[2]].map(|id| format!("{}.pack1", id.checksum)).to_vec();
    kept.sort();
    assert_eq!(place.names(), kept, "the second one was opened longest ago");
}

#[test]
fn a_pack_above_the_size_of_the_cache_is_read_and_not_kept() {
    let place = Place::new(1000);
    let (content, small) = (noise(100_000), place.store(package(&[("a", b"1")])));
    assert_eq!(read(&place.cache(), &small, "a").unwrap(), b"1");
    let id = place.store(package(&[("a", &content)]));
    let cache = place.cache();
    assert_eq!(read(&cache, &id, "a").unwrap(), content);
    assert_eq!(place.names(), [format!("{}.pack1", small.checksum)], "neither kept nor a reason to remove others");
    assert_eq!(read(&cache, &id, "a").unwrap(), content);
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_another_one_writes_is_not() {
    let place = Place::new(u64::MAX);
    fs::create_dir_all(place.packs()).unwrap();
    let left = place.packs().join("unfinished-left");
    fs::write(&left, b"half").unwrap();
    let in_use = fs::File::create(place.packs().join("unfinished-in-use")).unwrap();
    in_use.lock().unwrap();
    let id = place.store(package(&[("a", b"1")]));
    assert_eq!(read(&place.cache(), &id, "a").unwrap(), b"1");
    assert_eq!(place.names(), [format!("{}.pack1", id.checksum), "unfinished-in-use".to_owned()]);
}

#[test]
fn paths_that_cargo_would_not_unpack_are_counted_and_not_listed() {
    let place = Place::new(u64::MAX);
    let crate_file = archive(|builder| {
        for path in [
            "foo-1.0.0/ok",
            "foo-1.0.0/../../etc/passwd",
            "/etc/passwd",
            "foo-1.0.0//x",
            "foo-1.0.0/./y",
            "bar-1.0.0/z",
        ] {
            append(builder, path, EntryType::Regular, b"1");
        }
        append(builder, "foo-1.0.0/directory", EntryType::Directory, b"");
        append(builder, "foo-1.0.0/device", EntryType::Char, b"");
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        builder.append_link(&mut link, "foo-1.0.0/link", "/etc/passwd").unwrap();
    });
    let id = place.store(crate_file);
    let cache = place.cache();
    assert_eq!(paths(&cache, &id), ["link", "ok"]);
    let package = cache.package(&id).unwrap();
    assert_eq!(package.listing().left_out, 6);
    let link = package.listing().find("link").unwrap();
    assert_eq!((link.form, package.read(link).unwrap()), (Form::Link, b"/etc/passwd".to_vec()));
    assert!(!Path::new(&place.packs()).join("etc").exists());
}

#[test]
fn sixty_thousand_files_are_listed_and_found() {
    let place = Place::new(u64::MAX);
    let crate_file = archive(|builder| {
        for number in 0..60_000 {
            let path = format!("foo-1.0.0/{}/{}/f{number}.rs", number % 7, number % 101);
            append(builder, &path, EntryType::Regular, format!("// {number}\n").as_bytes());
        }
    });
    let id = place.store(crate_file);
    let cache = place.cache();
    let package = cache.package(&id).unwrap();
    assert_eq!((package.listing().len(), package.listing().children("").unwrap().len()), (60_000, 7));
    assert_eq!(package.listing().children("3").unwrap().len(), 101);
    assert_eq!(read(&cache, &id, "3/1/f59693.rs"), None);
    assert_eq!(read(&cache, &id, "0/0/f59388.rs").unwrap(), b"// 59388\n");
}

#[test]
fn a_file_that_is_no_package_or_beyond_the_bounds_says_why() {
    let place = Place::new(u64::MAX);
    let refused = |crate_file: Vec<u8>| {
        let id = place.store(crate_file);
        place.cache().package(&id).unwrap_err().to_string()
    };
    assert!(refused(b"no archive".to_vec()).starts_with("the crate file cannot be unpacked: "));
    let good = package(&[("a", &noise(100_000))]);
    assert!(refused(good[..50_000].to_vec()).starts_with("the crate file cannot be unpacked: "));
    assert!(place.names().is_empty(), "{:?}", place.names());
    let bounded = |bounds: making::Bounds| {
        let pack = tempfile::tempfile().unwrap();
        let two = package(&[("a", b"1"), ("b", b"2")]);
        making::make(&two[..], "foo-1.0.0", &pack, bounds).map_err(|error| error.to_string())
    };
    let bounds = making::Bounds { unpacked: 10_000, entries: 2, paths: 2, path: 1 };
    assert_eq!(bounded(bounds), Ok(()));
    insta::assert_snapshot!(bounded(making::Bounds { unpacked: 1500, ..bounds }).unwrap_err(), @"the package has more than 1500 bytes, which is too much to be shown");
    insta::assert_snapshot!(bounded(making::Bounds { entries: 1, ..bounds }).unwrap_err(), @"the package has more than 1 files, which is too much to be shown");
    insta::assert_snapshot!(bounded(making::Bounds { paths: 1, ..bounds }).unwrap_err(), @"the package has more than 1 bytes of paths, which is too much to be shown");
}

#[test]
fn many_requests_at_once_make_one_pack() {
    let place = Place::new(u64::MAX);
    let id = place.store(package(&[("a", &noise(500_000))]));
    let cache = place.cache();
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| std::sync::Arc::as_ptr(&cache.package(&id).unwrap()) as usize)).collect();
        let found: std::collections::HashSet<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        assert_eq!(found.len(), 1);
    });
}
