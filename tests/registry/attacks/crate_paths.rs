//! Crate files that unpack differently in different programs or on different file systems.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::http::StatusCode;
use supercargo::package::policy::WarnOrRefuse;
use supercargo::package::{Limits, Policy, tarball};
use tar::{EntryType, Header};

use crate::fuzzing::{Random, corpus, mutate, targets};
use crate::support::cargo::{Cargo, downloaded_crates};
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::package::{Package, frame};
use crate::support::process::Served;
use crate::support::tar_readers::{self, Seen};

const ROOT: &str = "foo-1.2.3";
const MANIFEST: &[u8] =
    b"[package]\nname = \"foo\"\nversion = \"1.2.3\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n";
const LIB: &[u8] = b"//! A crate.\n";

/// The forms of tar that have headers of their own.
#[derive(Clone, Copy, Debug)]
enum Form {
    V7,
    Ustar,
    Gnu,
}

const FORMS: [Form; 3] = [Form::V7, Form::Ustar, Form::Gnu];

/// An entry with its header as it is written, and its content.
type Entry = (Vec<u8>, Vec<u8>);

fn entry(form: Form, path: &str, kind: EntryType, content: &[u8]) -> Entry {
    let mut header = match form {
        Form::V7 => Header::new_old(),
        Form::Ustar => Header::new_ustar(),
        Form::Gnu => Header::new_gnu(),
    };
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_mtime(1_153_704_088);
    (header.as_bytes().to_vec(), content.to_vec())
}

fn file(form: Form, path: &str, content: &[u8]) -> Entry {
    entry(form, &format!("{ROOT}/{path}"), EntryType::Regular, content)
}

/// The entry with these bytes in its header.
fn with(mut entry: Entry, at: usize, bytes: &[u8]) -> Entry {
    entry.0[at..at + bytes.len()].copy_from_slice(bytes);
    entry
}

fn pax(records: &[(&str, &str)]) -> Entry {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().map(|(key, value)| (*key, value.as_bytes()))).unwrap();
    let bytes = builder.get_ref();
    let size = Header::from_byte_slice(&bytes[..512]).size().unwrap() as usize;
    (bytes[..512].to_vec(), bytes[512..512 + size].to_vec())
}

fn long_name(name: &[u8]) -> Entry {
    entry(Form::Gnu, "././@LongLink", EntryType::GNULongName, name)
}

/// A `.crate` file of these entries, each with the checksum that its header should have.
fn crate_file(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (header, content) in entries {
        let mut header = Header::from_byte_slice(header).clone();
        header.set_cksum();
        archive.extend(header.as_bytes());
        archive.extend(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &archive).unwrap();
    encoder.finish().unwrap()
}

/// The manifest, these entries, and a file behind them, which a program that stops early does not see.
fn around(form: Form, entries: &[Entry]) -> Vec<u8> {
    let first = file(form, "Cargo.toml", MANIFEST);
    crate_file(&[&[first], entries, &[file(form, "src/lib.rs", LIB)]].concat())
}

fn body(crate_file: &[u8]) -> Vec<u8> {
    frame(Package::new("foo", "1.2.3").metadata_json().to_string().as_bytes(), crate_file)
}

// rule: 10
#[test]
fn an_archive_that_programs_read_in_two_ways_is_refused() {
    let hidden = {
        let mut header = Header::from_byte_slice(&file(Form::Gnu, "src/main.rs", b"").0).clone();
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let directory = entry(Form::Gnu, "foo-1.2.3/src/", EntryType::Directory, &hidden);
    let gnu = || file(Form::Gnu, "a", b"abc");
    let attacks: Vec<(&str, Vec<Entry>)> = vec![
        ("a directory with contents", vec![directory]),
        ("not every program can read", vec![with(gnu(), 108, b"garbage\0")]),
        ("not every program can read", vec![with(gnu(), 124, b"+0000000003\0")]),
        ("not every program can read", vec![with(gnu(), 124, b"\x80\x01\0\0\0\0\0\0\0\0\0\x03")]),
        ("not every program can read", vec![with(gnu(), 136, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")]),
        ("not every program can read", vec![with(gnu(), 329, b"x")]),
        ("bytes behind a GNU header", vec![with(gnu(), 345, b"foo-1.2.3/tests")]),
        ("unknown format", vec![with(file(Form::Ustar, "a", b""), 263, b"99")]),
        ("unknown format", vec![with(file(Form::V7, "a", b""), 345, b"foo-1.2.3/tests")]),
        ("bytes behind its end", vec![with(gnu(), 60, b"hidden")]),
        ("setuid", vec![with(gnu(), 100, b"0004755\0")]),
        ("the pax key `hdrcharset`", vec![pax(&[("hdrcharset", "BINARY")]), gnu()]),
        ("the pax key `SCHILY.realsize`", vec![pax(&[("SCHILY.realsize", "1")]), gnu()]),
        ("the pax key mtime", vec![pax(&[("mtime", "soon")]), gnu()]),
        ("a pax size that differs", vec![pax(&[("size", "+3")]), gnu()]),
    ];
    let registry = TestRegistry::new();
    let ann = registry.user("paths-of-readers");
    for (text, entries) in attacks {
        let answer = ann.publish_body(body(&around(Form::Gnu, &entries)));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{text}: {}", answer.text());
        assert!(answer.detail().contains(text), "{text}: {}", answer.detail());
    }
    ann.publish_body(body(&around(Form::Gnu, &[]))).good();
    registry.run_jobs();
}

// rule: 10, 11
#[test]
fn paths_that_meet_or_hide_on_some_file_system_are_refused() {
    let registry = TestRegistry::new();
    let ann = registry.user("paths-that-meet");
    let long = format!("{}.rs", "x".repeat(253));
    // 128 characters, 256 bytes.
    let long_directory = format!("{}/lib.rs", "\u{e9}".repeat(128));
    for (paths, text) in [
        (&["caf\u{e9}.rs", "cafe\u{301}.rs"][..], "are one path on some file systems"),
        (&["straße", "STRASSE"], "are one path on some file systems"),
        (&["src./lib.rs"], "are one path on some file systems"),
        (&["SRC/LIB.rs"], "differ only by letter case"),
        (&["cargo.TOML"], "differ only by letter case"),
        (&["Cargo.toml."], "are one path on some file systems"),
        (&[".cargo-ok/x"], "cargo creates itself"),
        (&["src/.CARGO-OK. "], "cargo creates itself"),
        (&["a\u{1b}[31m"], "contains U+001B (a control character) at position 12"),
        (&["a\nb"], "contains U+000A"),
        (&["a\u{7f}"], "contains U+007F (a control character)"),
        (&["a\u{85}b"], "contains U+0085 (a control character)"),
        (&["\u{9b}31m/lib.rs"], "contains U+009B (a control character)"),
        (&["a\t"], "contains U+0009 (a control character)"),
        (&["nimda\u{202e}sr."], "contains U+202E (an invisible character) at position 16"),
        (&["lib\u{200b}.rs"], "contains U+200B"),
        (&["li\u{200d}b.rs"], "contains U+200D"),
        (&["\u{feff}lib.rs"], "contains U+FEFF"),
        (&["\u{3164}.rs"], "contains U+3164"),
        (&[&long], "a component of more than 255 bytes"),
        (&[&long_directory], "a component of more than 255 bytes"),
    ] {
        let entries = paths.iter().flat_map(|path| {
            let name = format!("{ROOT}/{path}\0").into_bytes();
            [long_name(&name), file(Form::Gnu, "named", b"")]
        });
        let answer = ann.publish_body(body(&around(Form::Gnu, &entries.collect::<Vec<_>>())));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{text}: {}", answer.text());
        assert!(answer.detail().contains(text), "{text}: {}", answer.detail());
        assert!(!answer.text().contains(supercargo::package::characters::is_hidden), "{}", answer.text());
    }
}

// rule: 10
#[test]
fn what_only_windows_cannot_hold_is_a_warning_or_refused_as_the_operator_wants() {
    let package = Package::new("foo", "1.0.0")
        .file("tests/aux.rs", b"")
        .file("a.", b"")
        .file("GIT~1", b"")
        .file("Docs/x", b"")
        .file("docs/y", b"");
    let strict = Policy { portable_paths: WarnOrRefuse::Refuse, ..Policy::default() };
    for (policy, status) in [(Policy::default(), StatusCode::OK), (strict, StatusCode::BAD_REQUEST)] {
        let registry = TestRegistry::with_policy(policy);
        let answer = registry.user("paths-of-windows").publish(&package);
        assert_eq!(answer.status, status, "{}", answer.text());
        for text in ["`foo-1.0.0/tests/aux.rs`, which has", "a dot or a space", "short name", "spells in another way"] {
            assert!(answer.text().contains(text), "{text}: {}", answer.text());
        }
        registry.run_jobs();
    }
}

/// Values that some reader takes for something else than another, by the field of the header.
fn hostile_fields() -> Vec<(usize, Vec<u8>)> {
    let numbers: [&[u8]; 11] =
        [b"", b"+1", b"-1", b"0x1", b"1_0", b" 1", b"\x001", b"1\x007", b"        ", b"\x80\0\0\0\0\0\0\x01", b"\xff"];
    let texts: [&[u8]; 6] = [b"", b"foo-1.2.3/b", b"x\0y", b"/", b"foo-1.2.3/\0\0z", b"../x"];
    let mut fields = Vec::new();
    for (at, length) in [(100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (329, 8), (337, 8)] {
        for number in numbers {
            let mut value = number.to_vec();
            value.resize(length, 0);
            fields.push((at, value));
        }
    }
    for at in [0, 157, 265, 345] {
        fields.extend(texts.iter().map(|text| (at, text.to_vec())));
    }
    for format in [&b"ustar\x0000"[..], b"ustar  \0", b"ustar\0  ", b"ustar\x0001", b"ustar00\0", b"\0\0\0\0\0\0\0\0"] {
        fields.push((257, format.to_vec()));
    }
    fields.extend((0..=u8::MAX).filter(|kind| kind.is_ascii_graphic() || *kind == 0).map(|kind| (156, vec![kind])));
    fields.push((508, b"tar\0".to_vec()));
    fields
}

/// Archives that somebody might write to deceive a reader, and good ones of every form.
fn archives() -> Vec<Vec<u8>> {
    let mut archives: Vec<_> =
        corpus("tarball").iter().filter_map(|(_, data)| targets::tarball::crate_file(data)).collect();
    for form in FORMS {
        let directory = entry(form, "foo-1.2.3/src/", EntryType::Directory, b"");
        archives.push(around(form, std::slice::from_ref(&directory)));
        for (at, value) in hostile_fields() {
            for victim in [file(form, "a", b"abc"), directory.clone()] {
                archives.push(around(form, &[with(victim, at, &value)]));
            }
        }
    }
    let unicode = format!("{ROOT}/src/größe/{}.rs", "漢".repeat(50));
    let named = || file(Form::Gnu, "a", b"abc");
    for entries in [
        vec![long_name(unicode.as_bytes()), named()],
        vec![long_name(&[unicode.as_bytes(), b"\0"].concat()), pax(&[("path", &unicode)]), named()],
        vec![pax(&[("path", &unicode), ("mtime", "1.5"), ("uid", "7"), ("uname", "é")]), named()],
        vec![pax(&[("path", "foo-1.2.3/b"), ("size", "3"), ("comment", "a\nb")]), file(Form::Ustar, "a", b"abc")],
        vec![pax(&[("path", "foo-1.2.3/b")]), file(Form::V7, "a", b"abc")],
        vec![pax(&[("path", "foo-1.2.3/d/")]), entry(Form::Ustar, "foo-1.2.3/x/", EntryType::Directory, b"")],
        vec![pax(&[("linkpath", "/etc/passwd")]), named()],
        vec![pax(&[("GNU.sparse.name", "foo-1.2.3/c")]), named()],
        vec![with(file(Form::Ustar, "a", b"abc"), 345, b"foo-1.2.3/b")],
        vec![with(entry(Form::Ustar, "a", EntryType::Regular, b"abc"), 345, b"foo-1.2.3/b")],
        vec![with(file(Form::Gnu, "a", b"abc"), 124, b"\x80\0\0\0\0\0\0\0\0\0\0\x03")],
        vec![file(Form::Gnu, "..", b""), file(Form::Gnu, ".hidden", b"")],
    ] {
        archives.push(around(Form::Gnu, &entries));
    }
    archives
}

/// Changes of single bytes in the headers of a good archive, the same each time.
fn mutations(count: usize) -> Vec<Vec<u8>> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let corpus = corpus("tarball");
    let mut archives = Vec::new();
    for number in 0..count {
        if number % 2 == 0 {
            let mut input = corpus[random.below(corpus.len())].1.clone();
            mutate(&mut random, &mut input, &corpus);
            archives.extend(targets::tarball::crate_file(&input));
            continue;
        }
        let form = FORMS[random.below(FORMS.len())];
        let mut victim = file(form, "a", b"abc");
        for _ in 0..=random.below(2) {
            let byte = [0, b' ', b'/', b'0', b'7', b'a', 0x80, 0xff][random.below(8)];
            victim = with(victim, random.below(512), &[byte]);
        }
        archives.push(around(form, &[victim]));
    }
    archives
}

fn limits() -> Limits {
    Limits { max_unpacked: 1 << 20, max_entries: 100, ..Limits::default() }
}

#[test]
fn crates_of_crates_io_are_taken() {
    let mut files: Vec<(u64, PathBuf)> =
        downloaded_crates().into_iter().map(|file| (file.metadata().unwrap().len(), file)).collect();
    files.sort();
    files.truncate(150);
    assert!(files.len() == 150, "building this program downloads more than {}", files.len());
    for (_, path) in files {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let mut places = stem.match_indices('-').map(|(place, _)| (&stem[..place], &stem[place + 1..]));
        let (name, version) =
            places.find_map(|(name, version)| Some((name.parse().ok()?, version.parse().ok()?))).expect(stem);
        let limits = Limits::default();
        let read = tarball::read(&std::fs::read(&path).unwrap(), &name, &version, &limits);
        assert!(read.is_ok(), "{stem}: {}", read.unwrap_err());
    }
}

// protocol: 60
#[test]
fn the_real_cargo_unpacks_what_gnu_tar_unpacks() {
    let served = Served::start(&[]);
    let token = served.token("ann");
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &token);
    let long = format!("src/größe/{}.rs", "漢".repeat(50));
    let paths = [("plain", "src/other.rs".to_owned()), ("long", long), ("joined", "tests/a\u{308}.txt".to_owned())];
    let mut dependencies = String::new();
    for (number, (kind, path)) in paths.iter().enumerate() {
        let package =
            Package::new(&format!("foo{number}"), "1.0.0").file(path, kind.as_bytes()).file("tests/aux.rs", b"");
        http::publish(&served.url, &token, &package).good();
        dependencies.push_str(&format!("foo{number} = {{ version = \"1\", registry = \"supercargo\" }}\n"));
    }
    // With directories, and by another packager than cargo.
    let root = "foo9-1.0.0";
    let manifest =
        "[package]\nname = \"foo9\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n";
    let by_hand = crate_file(&[
        entry(Form::Ustar, &format!("{root}/"), EntryType::Directory, b""),
        pax(&[("path", &format!("{root}/Cargo.toml")), ("mtime", "7.5")]),
        entry(Form::Ustar, "short", EntryType::Regular, manifest.as_bytes()),
        entry(Form::V7, &format!("{root}/src/"), EntryType::Directory, b""),
        with(entry(Form::Ustar, "lib.rs", EntryType::Regular, LIB), 345, format!("{root}/src").as_bytes()),
    ]);
    let metadata = Package::new("foo9", "1.0.0").metadata_json().to_string();
    let answer =
        http::put_bytes_as(&format!("{}/api/v1/crates/new", served.url), &token, &frame(metadata.as_bytes(), &by_hand));
    answer.good();
    dependencies.push_str("foo9 = { version = \"1\", registry = \"supercargo\" }\n");
    cargo.library("all", "1.0.0", &format!("[dependencies]\n{dependencies}"), "");
    cargo.good("all", &["fetch"]);
    let sources = std::fs::read_dir(cargo.path("home/registry/src")).unwrap().next().unwrap().unwrap().path();
    for number in [0, 1, 2, 9] {
        let name = format!("foo{number}-1.0.0");
        let mut by_cargo = tar_readers::unpacked(&sources.join(&name));
        by_cargo.remove(".cargo-ok").expect("cargo's mark");
        let url = format!("{}/api/v1/crates/foo{number}/1.0.0/download", served.url);
        let path = cargo.path(&name);
        std::fs::write(&path, http::get(&url).good().body).unwrap();
        let by_tar: Seen = tar_readers::gnu_tar(&path)
            .unwrap()
            .into_iter()
            .filter_map(|(path, seen)| Some((path.strip_prefix(&format!("{name}/"))?.to_owned(), seen)))
            .collect();
        assert!(by_cargo == by_tar, "{name}: cargo {by_cargo:?}, tar {by_tar:?}");
        assert!(by_tar.len() >= 3, "{by_tar:?}");
    }
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn what_is_accepted_is_the_same_to_cargo_gnu_tar_and_python() {
        let directory = tempfile::tempdir().unwrap();
        let (name, version) = ("foo".parse().unwrap(), "1.2.3".parse().unwrap());
        let all: BTreeSet<_> = archives().into_iter().chain(mutations(300)).collect();
        let accepted: Vec<(PathBuf, &Vec<u8>)> = all
            .iter()
            .filter(|archive| tarball::read(archive, &name, &version, &limits()).is_ok())
            .enumerate()
            .map(|(number, archive)| (directory.path().join(format!("{number}.crate")), archive))
            .collect();
        assert!(accepted.len() > 150 && accepted.len() < all.len() - 300, "{} of {}", accepted.len(), all.len());
        accepted.iter().for_each(|(path, archive)| std::fs::write(path, archive).unwrap());
        let by_python = tar_readers::python(&accepted.iter().map(|(path, _)| &**path).collect::<Vec<_>>());
        let mut findings = Vec::new();
        for ((path, archive), python) in accepted.iter().zip(by_python) {
            let cargo = tar_readers::cargo(archive, ROOT);
            let gnu = tar_readers::gnu_tar(path);
            if cargo.is_err() || cargo != gnu || cargo != python {
                let mut unpacked = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&archive[..]), &mut unpacked).unwrap();
                let blocks: Vec<_> = unpacked.chunks(512).map(|block| block.escape_ascii().to_string()).collect();
                findings.push(format!("cargo {cargo:?}\ngnu {gnu:?}\npython {python:?}\n{}", blocks.join("\n")));
            }
        }
        assert!(
            findings.is_empty(),
            "{} of {} differ:\n{}",
            findings.len(),
            accepted.len(),
            findings[..3.min(findings.len())].join("\n\n")
        );
    }
}
