//! The pages with the files of packages, and their raw content.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use supercargo::web::{SourceWork, TrustedProxies};

use crate::support::harness::{Answer, Client, TestRegistry};
use crate::support::package::Package;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A package with a file of each kind.
fn package() -> Package {
    let vcs = format!("{{\"git\":{{\"sha1\":\"{COMMIT}\"}},\"path_in_vcs\":\"crates/foo\"}}");
    Package::new("foo", "1.0.0")
        .manifest("repository = \"https://github.com/o/r\"\n")
        .metadata("repository", "https://github.com/o/r".into())
        .file("src/bin/a.rs", b"fn main() {\n    println!(\"<b>&\");\n}\n")
        .file("Cargo.toml.orig", b"[package]\nname.workspace = true\n")
        .file(".cargo_vcs_info.json", vcs.as_bytes())
        .file("page.html", b"<script>alert(1)</script>\n")
        .file("image.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>\n")
        .file("logo.png", PNG)
        .file("fake.png", b"<html>\0")
        .file("latin.txt", b"gr\xf6\xdfe\n")
        .file("trojan.rs", "/* \u{202e} } if admin { \u{2066} */\n".as_bytes())
        .file("empty", b"")
        .file("long.js", &[b'x'; 600_000])
        .file("huge.txt", &b"line\n".repeat(300_000))
}

fn registry_with(packages: &[Package]) -> TestRegistry {
    let registry = TestRegistry::new();
    for package in packages {
        registry.user("ann").publish(package).good();
    }
    registry.run_jobs();
    registry
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A request from a client behind no proxy.
fn from(client: &Client<'_>, address: &str, path: &str) -> Answer {
    let mut request = Request::get(path).header("host", "registry.test").body(Body::empty()).unwrap();
    let peer: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 1))));
    client.send(request)
}

#[test]
fn directories_and_files_are_pages_with_links_to_each_other() {
    let registry = registry_with(&[package()]);
    let get = |path: &str| registry.anonymous().get(&format!("/crates/foo/1.0.0/source{path}")).good();
    for root in [get(""), get("/")] {
        let text = root.text();
        assert!(text.contains("href=\"/crates/foo/1.0.0/source/src\"") && text.contains("14 files"), "{text}");
        assert!(text.contains(&format!("https://github.com/o/r/commit/{COMMIT}")));
        assert_eq!(header(&root, "x-robots-tag"), "noindex, nofollow");
    }
    assert!(get("/src").text().contains("href=\"/crates/foo/1.0.0/source/src/bin\""));
    let file = get("/src/bin/a.rs");
    let text = file.text();
    assert!(text.contains("<span id=\"L2\"><a href=\"#L2\" tabindex=\"-1\">2</a>"), "{text}");
    assert!(text.contains("<span class=\"m\">println</span>") && text.contains("&lt;b&gt;&amp;"), "{text}");
    assert!(text.contains("aria-current=\"page\">") && text.contains("3 lines") && text.contains("Rust"), "{text}");
    assert!(text.contains(&format!("https://github.com/o/r/blob/{COMMIT}/crates/foo/src/bin/a.rs")), "{text}");
    assert_eq!(header(&file, "x-robots-tag"), "noindex, nofollow");
    let request = Request::get("/crates/foo/1.0.0/source/src/bin/a.rs").header("if-none-match", header(&file, "etag"));
    let again = registry.anonymous().send(request.body(Body::empty()).unwrap());
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[test]
fn the_manifest_stands_beside_what_its_author_wrote() {
    let registry = registry_with(&[package()]);
    let get = |path: &str| registry.anonymous().get(&format!("/crates/foo/1.0.0/source/{path}")).good().text();
    let both = get("Cargo.toml");
    assert!(both.contains("id=\"L1\"") && both.contains("id=\"O1\"") && both.contains("name.workspace"), "{both}");
    assert!(!both.contains("/blob/"), "the packaged manifest is in no commit");
    let original = get("Cargo.toml.orig");
    assert!(original.contains(&format!("/blob/{COMMIT}/crates/foo/Cargo.toml")) && !original.contains("id=\"O1\""));
}

#[test]
fn files_of_every_kind_are_shown_harmless() {
    let registry = registry_with(&[package()]);
    let get = |path: &str| registry.anonymous().get(&format!("/crates/foo/1.0.0/source/{path}")).good().text();
    assert!(get("page.html").contains("&lt;script&gt;") && !get("page.html").contains("<script>alert"));
    assert!(get("image.svg").contains("src=\"/crates/foo/1.0.0/raw/image.svg\""));
    assert!(!get("image.svg").contains("<script>alert"));
    assert!(
        get("logo.png").contains("src=\"/crates/foo/1.0.0/raw/logo.png\"") && get("logo.png").contains("89 50 4e 47")
    );
    let fake = get("fake.png");
    assert!(!fake.contains("<img src=\"/crates/foo") && fake.contains("binary file of an unknown kind"), "{fake}");
    assert!(get("latin.txt").contains("not UTF-8") && get("latin.txt").contains("gr\u{fffd}\u{fffd}e"));
    let trojan = get("trojan.rs");
    assert!(trojan.contains("U+202E") && trojan.contains("U+2066") && !trojan.contains('\u{202e}'), "{trojan}");
    assert!(get("empty").contains("This file is empty"));
    let long = get("long.js");
    assert!(long.contains("id=\"L1\"") && !long.contains("class=\"k\""));
    let huge = get("huge.txt");
    assert!(huge.contains("too large") && !huge.contains("id=\"L1\""));
}

#[test]
fn raw_content_is_what_was_packaged_and_runs_nowhere() {
    let registry = registry_with(&[package()]);
    let get = |path: &str| registry.anonymous().get(&format!("/crates/foo/1.0.0/raw/{path}")).good();
    for (path, kind, disposition) in [
        ("src/lib.rs", "text/plain; charset=utf-8", "inline; filename*=UTF-8''lib%2Ers"),
        ("page.html", "text/plain; charset=utf-8", "inline; filename*=UTF-8''page%2Ehtml"),
        ("image.svg", "image/svg+xml", "inline; filename*=UTF-8''image%2Esvg"),
        ("logo.png", "image/png", "inline; filename*=UTF-8''logo%2Epng"),
        ("fake.png", "application/octet-stream", "attachment; filename*=UTF-8''fake%2Epng"),
        ("latin.txt", "text/plain", "inline; filename*=UTF-8''latin%2Etxt"),
    ] {
        let answer = get(path);
        assert_eq!((header(&answer, "content-type"), header(&answer, "content-disposition")), (kind, disposition));
        assert_eq!(
            header(&answer, "content-security-policy"),
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
        );
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "cross-origin-resource-policy"), "same-origin");
        assert_eq!(header(&answer, "x-robots-tag"), "noindex, nofollow");
    }
    assert_eq!(get("logo.png").body, PNG);
    assert_eq!(get("empty").body, b"");
    let huge = get("huge.txt");
    assert!(huge.body == b"line\n".repeat(300_000) && header(&huge, "content-length") == "1500000");
    let head = registry.anonymous().request(Method::HEAD, "/crates/foo/1.0.0/raw/huge.txt", Body::empty()).good();
    assert_eq!((head.body.len(), header(&head, "content-length")), (0, "1500000"));
    let conditional = |name: &str, tag: &str| {
        let request = Request::get("/crates/foo/1.0.0/raw/huge.txt").header(name, tag);
        registry.anonymous().send(request.body(Body::empty()).unwrap()).status
    };
    assert_eq!(conditional("if-none-match", header(&huge, "etag")), StatusCode::NOT_MODIFIED);
    assert_eq!(conditional("if-match", "\"other\""), StatusCode::PRECONDITION_FAILED);
}

#[test]
fn a_path_that_the_package_does_not_have_is_a_404_with_those_that_are_like_it() {
    let registry = registry_with(&[package()]);
    let request = Request::get("/crates/foo/1.0.0/source/src/bin/A.rs").header("accept", "text/html");
    let missing = registry.anonymous().send(request.body(Body::empty()).unwrap());
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text().contains("href=\"/crates/foo/1.0.0/source/src/bin/a.rs\""), "{}", missing.text());
    for path in [
        "..",
        "../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "src/../Cargo.toml",
        "src%00",
        "%ff",
        "src/lib.rs/x",
        "C:%5Cx",
        &"a/".repeat(3000),
    ] {
        for kind in ["source", "raw"] {
            let answer = registry.anonymous().get(&format!("/crates/foo/1.0.0/{kind}/{path}"));
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{kind}/{path}: {}", answer.text());
        }
    }
    assert_eq!(registry.anonymous().get("/crates/foo/1.0.0/raw/src").status, StatusCode::NOT_FOUND, "no directory");
    assert_eq!(registry.anonymous().get("/crates/foo/9.0.0/source").status, StatusCode::NOT_FOUND);
    assert_eq!(registry.anonymous().get("/crates/nothing/1.0.0/source").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_deleted_version_has_no_sources_and_says_why() {
    let registry = registry_with(&[package(), Package::new("foo", "2.0.0")]);
    registry.anonymous().get("/crates/foo/1.0.0/source/src/lib.rs").good();
    let root = registry.admin("root");
    root.request(Method::DELETE, "/api/v1/crates/foo/1.0.0?reason=leak", Body::empty()).good();
    registry.run_jobs();
    for path in ["source", "source/src/lib.rs", "raw/src/lib.rs"] {
        let answer = registry.anonymous().get(&format!("/crates/foo/1.0.0/{path}"));
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.text().contains("leak"), "{}", answer.text());
    }
}

#[test]
fn a_private_registry_shows_nothing_of_sources_without_a_token() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let ann = registry.user("ann");
    ann.publish(&package()).good();
    registry.run_jobs();
    for path in ["source", "source/src/lib.rs", "raw/src/lib.rs"] {
        let (known, unknown) = (format!("/crates/foo/1.0.0/{path}"), format!("/crates/bar/1.0.0/{path}"));
        let refused = [registry.anonymous().get(&known), registry.anonymous().get(&unknown)];
        assert!(refused.iter().all(|answer| answer.status == StatusCode::UNAUTHORIZED), "{refused:?}");
        assert_eq!(refused[0].text(), refused[1].text());
        ann.get(&known).good();
    }
    let raw = ann.get("/crates/foo/1.0.0/raw/src/lib.rs").good();
    assert_eq!(header(&raw, "cache-control"), "private, max-age=86400");
}

#[test]
fn a_client_that_takes_too_long_waits_and_what_is_in_memory_is_free() {
    let registry = TestRegistry::with(|settings| {
        settings.source_work = SourceWork::new(Duration::ZERO, TrustedProxies::default());
    });
    registry.user("ann").publish(&package()).good();
    registry.run_jobs();
    let client = registry.anonymous();
    from(&client, "192.0.2.1", "/crates/foo/1.0.0/source").good();
    let refused = from(&client, "192.0.2.1", "/crates/foo/1.0.0/source/src/lib.rs");
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text());
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() >= 1);
    from(&client, "192.0.2.1", "/crates/foo/1.0.0/source/src").good();
    from(&client, "192.0.2.2", "/crates/foo/1.0.0/source/src/lib.rs").good();
    from(&client, "192.0.2.1", "/crates/foo/1.0.0/source/src/lib.rs").good();
}

#[test]
fn a_damaged_cache_and_a_lost_file_are_the_operators_matter() {
    let registry = registry_with(&[package(), Package::new("bar", "1.0.0")]);
    registry.anonymous().get("/crates/foo/1.0.0/source/src/lib.rs").good();
    let packs: Vec<_> = std::fs::read_dir(registry.directory.path().join("source-cache")).unwrap().collect();
    assert_eq!(packs.len(), 1, "one pack for one package");
    std::fs::write(packs[0].as_ref().unwrap().path(), b"damaged").unwrap();
    let text = registry.anonymous().get("/crates/foo/1.0.0/source/src/bin/a.rs").good().text();
    assert!(text.contains("println"));
    std::fs::remove_dir_all(registry.directory.path().join("crates")).unwrap();
    let lost = registry.anonymous().get("/crates/bar/1.0.0/source");
    assert_eq!(lost.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!lost.text().contains(registry.directory.path().to_str().unwrap()));
}

#[test]
fn a_large_directory_has_pages() {
    let mut package = Package::new("many", "1.0.0");
    for number in 0..2500 {
        package = package.file(&format!("data/f{number:05}"), b"x\n");
    }
    let registry = registry_with(&[package]);
    let get = |path: &str| registry.anonymous().get(&format!("/crates/many/1.0.0/source/{path}")).good().text();
    let (first, last) = (get("data"), get("data?page=3"));
    assert!(first.contains("f00000") && first.contains("?page=2") && !first.contains("f01000"), "{first}");
    assert!(last.contains("f02499") && !last.contains("?page=4"), "{last}");
    assert!(get("data?page=99999999").contains("?page="));
    let file = get("data/f02000");
    assert!(
        file.len() < 100_000 && file.contains("… all entries") && file.contains("aria-current=\"page\""),
        "{}",
        file.len()
    );
}
