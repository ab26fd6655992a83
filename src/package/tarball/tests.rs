//! Archives a stranger might send.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType};

use super::super::Limits;
use super::super::sample::{gzip, header, tar};
use super::{Tarball, TarballError};

const MANIFEST: (&str, &[u8]) = ("foo-1.2.3/Cargo.toml", b"[package]");

fn inspect(crate_file: &[u8], limits: &Limits) -> Result<Tarball, TarballError> {
    super::read(crate_file, &"foo".parse().unwrap(), &"1.2.3".parse().unwrap(), limits)
}

fn read_within(crate_file: &[u8], limits: &Limits) -> Result<String, TarballError> {
    inspect(crate_file, limits).map(|tarball| tarball.manifest)
}

fn read(crate_file: &[u8]) -> Result<String, TarballError> {
    read_within(crate_file, &Limits::default())
}

/// The message that refuses an archive of the manifest and these files.
fn refusal(files: &[(&str, &[u8])]) -> String {
    read(&gzip(&tar(&[&[MANIFEST], files].concat()))).unwrap_err().to_string()
}

/// An archive of the manifest and one entry, made of raw headers with contents.
fn raw(entries: &[(tar::Header, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.append(&header(MANIFEST.0, EntryType::Regular, MANIFEST.1.len()), MANIFEST.1).unwrap();
    for (header, contents) in entries {
        builder.append(header, *contents).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().map(|(key, value)| (*key, value.as_bytes()))).unwrap();
    let length = usize::try_from(tar::Header::from_byte_slice(&builder.get_ref()[..512]).size().unwrap()).unwrap();
    builder.get_ref()[512..512 + length].to_vec()
}

/// An archive with a file whose pax header holds these bytes.
fn with_pax(records: &[u8]) -> Vec<u8> {
    raw(&[
        (header("pax", EntryType::XHeader, records.len()), records),
        (header("foo-1.2.3/short", EntryType::Regular, 3), b"abc"),
    ])
}

#[test]
fn the_manifest_of_a_sound_package_is_read() {
    let mut builder = Builder::new(Vec::new());
    builder.append(&header("foo-1.2.3/", EntryType::Directory, 0), &b""[..]).unwrap();
    builder.append(&header("foo-1.2.3/src/", EntryType::Directory, 0), &b""[..]).unwrap();
    let mut long = tar::Header::new_gnu();
    long.set_size(3);
    builder.append_data(&mut long, format!("foo-1.2.3/src/{}.rs", "long".repeat(60)), &b"abc"[..]).unwrap();
    builder.append(&header(MANIFEST.0, EntryType::Regular, MANIFEST.1.len()), MANIFEST.1).unwrap();
    assert_eq!(read(&gzip(&builder.into_inner().unwrap())).unwrap(), "[package]");
}

// rule: 9
// protocol: 92
#[test]
fn an_archive_cut_off_anywhere_is_refused() {
    let whole = gzip(&tar(&[MANIFEST, ("foo-1.2.3/lib.rs", b"contents")]));
    assert!(read(&whole).is_ok());
    for cut in 0..whole.len() {
        assert!(read(&whole[..cut]).is_err(), "gzip cut at {cut}");
    }
    let unpacked = tar(&[MANIFEST, ("foo-1.2.3/lib.rs", b"contents")]);
    for cut in (0..unpacked.len() - 1024).step_by(256).chain([unpacked.len() - 1024]) {
        assert!(read(&gzip(&unpacked[..cut])).is_err(), "tar cut at {cut}");
    }
}

// rule: 9
#[test]
fn a_changed_byte_in_the_gzip_stream_is_noticed() {
    let mut damaged = gzip(&tar(&[MANIFEST]));
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    assert!(matches!(read(&damaged), Err(TarballError::Unreadable(_))));
}

// rule: 9
#[test]
fn nothing_may_follow_the_end() {
    let sound = tar(&[MANIFEST]);
    let hidden = gzip(&[sound.clone(), tar(&[("foo-1.2.3/Cargo.toml", b"other")])].concat());
    insta::assert_snapshot!(read(&hidden).unwrap_err(), @"the .crate file continues after the end of its tar archive: package it again");
    let second_member = [gzip(&sound), gzip(&sound)].concat();
    insta::assert_snapshot!(read(&second_member).unwrap_err(), @"the .crate file continues after the end of its gzip stream: package it again");
    assert!(read(&[gzip(&sound), vec![0]].concat()).is_err());
    assert!(read(&gzip(&[sound, vec![0; 10_240]].concat())).is_ok());
}

// rule: 9
// protocol: 60
#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [&b""[..], b"no gzip", &gzip(b""), &gzip(b"no tar"), &gzip(&[b'x'; 2048]), &gzip(&[0; 1024])] {
        assert!(read(bytes).is_err());
    }
}

// rule: 9
// protocol: 60, 94
#[test]
fn a_bomb_is_cut_off_while_it_streams() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(header("foo-1.2.3/zeros", EntryType::Regular, 64 << 20).as_bytes()).unwrap();
    for _ in 0..64 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
    }
    let limits = Limits { max_unpacked: 1 << 20, ..Limits::default() };
    insta::assert_snapshot!(read_within(&encoder.finish().unwrap(), &limits).unwrap_err(), @"the .crate file unpacks to more than 1 MiB: leave files out with `exclude` in Cargo.toml");
}

// rule: 9
// protocol: 94
#[test]
fn the_number_of_entries_and_the_size_of_paths_and_manifest_are_bounded() {
    let files = gzip(&tar(&[MANIFEST, ("foo-1.2.3/a", b""), ("foo-1.2.3/b", b"")]));
    let error = |limits| read_within(&files, &limits).unwrap_err().to_string();
    insta::assert_snapshot!(error(Limits { max_entries: 2, ..Limits::default() }), @"the .crate file has more than 2 entries: leave files out with `exclude` in Cargo.toml");
    insta::assert_snapshot!(error(Limits { max_path: 11, ..Limits::default() }), @"the .crate file contains the path `foo-1.2.3/Cargo.toml`, which is too long: rename it or leave it out with `exclude` in Cargo.toml");
    insta::assert_snapshot!(error(Limits { max_paths: 30, ..Limits::default() }), @"the paths in the .crate file have more than 30 bytes together: leave files out with `exclude` in Cargo.toml");
    error(Limits { max_paths: 41, ..Limits::default() });
    read_within(&files, &Limits { max_paths: 42, ..Limits::default() }).unwrap();
    insta::assert_snapshot!(error(Limits { max_manifest: 8, ..Limits::default() }), @"Cargo.toml in the package has 9 bytes, above the limit of 8 bytes: shorten it, or ask the registry's operator for a higher limit");
    let name = vec![b'x'; 65 * 1024];
    let long =
        raw(&[(header("long", EntryType::GNULongName, name.len()), &name), (header("a", EntryType::Regular, 0), b"")]);
    assert!(read(&long).unwrap_err().to_string().contains("more than 64 KiB"));
}

// rule: 10
// protocol: 60
#[test]
fn a_path_that_cannot_be_unpacked_everywhere_is_refused() {
    for (path, problem) in [
        ("bar-1.2.3/a", "must lie under `foo-1.2.3/`"),
        ("foo-1.2.30/a", "must lie under"),
        ("FOO-1.2.3/a", "must lie under"),
        ("foo-1.2.3/../a", "has `..` as a component"),
        ("foo-1.2.3/./a", "has `.` as a component"),
        ("foo-1.2.3//a", "has an empty component"),
        ("foo-1.2.3/a/", "has an empty component"),
        ("/foo-1.2.3/a", "is absolute"),
        ("foo-1.2.3/a\\b", "not every file system"),
        ("foo-1.2.3/c:x", "not every file system"),
        ("foo-1.2.3/.cargo-ok", "cargo creates itself"),
        ("foo-1.2.3/.Cargo-OK", "cargo creates itself"),
        ("", "has an empty component"),
    ] {
        let message = refusal(&[(path, b"")]);
        assert!(message.contains(problem), "{path}: {message}");
    }
    let mut invalid = header("foo-1.2.3/a", EntryType::Regular, 0);
    invalid.as_old_mut().name[10] = 0xff;
    invalid.set_cksum();
    assert!(read(&raw(&[(invalid, b"")])).unwrap_err().to_string().contains("is not UTF-8"));
}

// rule: 11
#[test]
fn two_entries_that_one_file_system_cannot_hold_are_refused() {
    insta::assert_snapshot!(refusal(&[("foo-1.2.3/a", b""), ("foo-1.2.3/a", b"")]), @"the .crate file contains both `foo-1.2.3/a` and `foo-1.2.3/a`, which are the same path: remove one of them");
    insta::assert_snapshot!(refusal(&[("foo-1.2.3/É", b""), ("foo-1.2.3/é", b"")]), @"the .crate file contains both `foo-1.2.3/É` and `foo-1.2.3/é`, which differ only by letter case: remove one of them");
    insta::assert_snapshot!(refusal(&[("foo-1.2.3/A", b""), ("foo-1.2.3/a!", b""), ("foo-1.2.3/a/b", b"")]), @"the .crate file contains both `foo-1.2.3/A` and `foo-1.2.3/a/b`, which would have to be a file and a directory at once: remove one of them");
    insta::assert_snapshot!(refusal(&[("foo-1.2.3/cargo.TOML", b"")]), @"the .crate file contains both `foo-1.2.3/Cargo.toml` and `foo-1.2.3/cargo.TOML`, which differ only by letter case: remove one of them");
    assert!(refusal(&[MANIFEST]).contains("are the same path"));
}

// rule: 10
// protocol: 60
#[test]
fn only_files_and_directories_are_taken() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::GNULongLink,
        EntryType::XGlobalHeader,
        EntryType::new(b'V'),
    ] {
        let error = read(&raw(&[(header("foo-1.2.3/a", kind, 0), b"")])).unwrap_err();
        assert!(matches!(error, TarballError::Kind { .. }), "{kind:?}: {error}");
    }
}

// rule: 12
// protocol: 60
#[test]
fn the_manifest_must_be_there_once_in_its_spelling_and_as_text() {
    let error = |files: &[(&str, &[u8])]| read(&gzip(&tar(files))).unwrap_err().to_string();
    insta::assert_snapshot!(error(&[("foo-1.2.3/cargo.toml", b"[package]")]), @"the .crate file contains no `foo-1.2.3/Cargo.toml`: add it in exactly this spelling");
    insta::assert_snapshot!(error(&[("foo-1.2.3/Cargo.toml", b"\xff")]), @"Cargo.toml in the package is not UTF-8: save it as UTF-8");
    assert!(error(&[("foo-1.2.3/sub/Cargo.toml", b"")]).contains("contains no `foo-1.2.3/Cargo.toml`"));
    let directory = raw(&[]);
    assert!(read(&directory).is_ok());
}

// rule: 9
#[test]
fn a_pax_header_may_name_a_file_but_not_contradict_it() {
    assert!(read(&with_pax(&pax(&[("path", "foo-1.2.3/long"), ("size", "3"), ("mtime", "1.5")]))).is_ok());
    let error = |records: &[u8]| read(&with_pax(records)).unwrap_err().to_string();
    insta::assert_snapshot!(error(&pax(&[("size", "4")])), @"the .crate file contains a tar record that is not accepted (a pax size that differs from the size in the header): package it with cargo");
    insta::assert_snapshot!(error(&pax(&[("GNU.sparse.major", "1")])), @"the .crate file contains a tar record that is not accepted (a sparse file): package it with cargo");
    insta::assert_snapshot!(error(&pax(&[("path", "a"), ("path", "b")])), @"the .crate file contains a tar record that is not accepted (two paths in one pax header): package it with cargo");
    assert!(error(&pax(&[("path", "foo-1.2.3/../x")])).contains("has `..`"));
    for malformed in [
        &b"99 path=x\n"[..],
        b"nonsense\n",
        b"\n15 path=foo/bar",
        &[pax(&[("mtime", "1")]), b"\n11 size=99\n".to_vec()].concat(),
    ] {
        assert!(error(malformed).contains("malformed pax header"), "{malformed:?}");
    }
}

// rule: 9
#[test]
fn extensions_must_describe_one_entry_each() {
    let name = b"foo-1.2.3/named\0";
    let long = || (header("long", EntryType::GNULongName, name.len()), &name[..]);
    let file = || (header("foo-1.2.3/a", EntryType::Regular, 0), &b""[..]);
    assert!(read(&raw(&[long(), file()])).is_ok());
    assert!(read(&raw(&[long(), long(), file()])).unwrap_err().to_string().contains("two extensions"));
    assert!(read(&raw(&[file(), long()])).unwrap_err().to_string().contains("no entry after it"));
    let other = pax(&[("path", "foo-1.2.3/other")]);
    let both = raw(&[long(), (header("pax", EntryType::XHeader, other.len()), &other), file()]);
    assert!(read(&both).unwrap_err().to_string().contains("two different long names"));
}

// rule: 10
#[test]
fn a_component_of_255_bytes_is_taken_and_a_longer_one_prevents_unpacking() {
    let with = |path: &str| {
        let name = format!("foo-1.2.3/{path}\0").into_bytes();
        let entry = header("named", EntryType::Regular, 0);
        read(&raw(&[(header("long", EntryType::GNULongName, name.len()), &name), (entry, b"")]))
    };
    assert!(with(&"x".repeat(255)).is_ok() && with(&"\u{e9}".repeat(127)).is_ok());
    for path in ["x".repeat(256), "\u{e9}".repeat(128), format!("{}/a", "x".repeat(256))] {
        assert!(with(&path).unwrap_err().prevents_unpacking(), "{path}");
    }
    // cargo unpacks what only a person would be misled by.
    for path in ["a\nb", "a\u{7f}", "a\u{9b}", "a:b"] {
        assert!(!with(path).unwrap_err().prevents_unpacking(), "{path:?}");
    }
}
