use std::io::Read;

use super::*;

fn long() -> String {
    "{\"name\":\"abcd\"}\n".repeat(100)
}

fn blob(server: &Server, path: &str) -> String {
    let head = server.index.head().unwrap();
    server.index.read(&head, path).unwrap().unwrap().id.to_string()
}

// protocol: 6, 16
#[test]
fn a_file_has_its_validators_and_its_type() {
    let server = Server::start();
    server.commit(&[("config.json", "{}"), ("ab/cd/abcd", "{\"name\":\"abcd\"}\n")]);
    let file = server.get("/index/ab/cd/abcd", &[]);
    assert_eq!((file.status, file.text()), (200, "{\"name\":\"abcd\"}\n"));
    assert_eq!(file.header("etag"), format!("\"{}\"", blob(&server, "ab/cd/abcd")));
    assert_eq!(file.header("vary"), "Accept-Encoding");
    assert_eq!(file.header("cache-control"), "no-cache");
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    let config = server.get("/index/config.json", &[]);
    assert_eq!((config.status, config.text()), (200, "{}"));
    assert_eq!(config.header("content-type"), "application/json");
    assert_eq!(config.header("cache-control"), "no-cache");
}

// protocol: 15, 18
#[test]
fn a_known_tag_is_answered_304_until_the_file_changes() {
    let server = Server::start();
    server.commit(&[("ab/cd/abcd", &long())]);
    let id = blob(&server, "ab/cd/abcd");
    for condition in [format!("\"{id}\""), format!("W/\"{id}\""), format!("\"x\", W/\"{id}\""), "*".to_owned()] {
        for (coding, tag) in [("identity", format!("\"{id}\"")), ("gzip", format!("W/\"{id}\""))] {
            let headers = [("If-None-Match", condition.as_str()), ("Accept-Encoding", coding)];
            let answer = server.get("/index/ab/cd/abcd", &headers);
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{condition} {coding}");
            assert_eq!(answer.header("etag"), tag);
            assert_eq!(answer.header("vary"), "Accept-Encoding");
            assert_eq!(answer.header("cache-control"), "no-cache");
        }
    }
    server.commit(&[("ab/cd/abcd", "changed")]);
    let answer = server.get("/index/ab/cd/abcd", &[("If-None-Match", &format!("\"{id}\""))]);
    assert_eq!((answer.status, answer.text()), (200, "changed"));
}

// protocol: 19
#[test]
fn a_request_without_a_matching_tag_is_never_answered_304() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    let dated = [("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")];
    let other = [("If-None-Match", "\"other\"")];
    for headers in [&[][..], &dated, &other] {
        assert_eq!(server.get("/index/1/a", headers).status, 200, "{headers:?}");
    }
    assert_eq!(server.get("/index/1/b", &[("If-None-Match", "*")]).status, 404);
}

// protocol: 20
#[test]
fn a_file_is_compressed_for_clients_that_accept_it() {
    let server = Server::start();
    server.commit(&[("ab/cd/abcd", &long()), ("1/a", "short")]);
    for _first_made_then_cached in 0..2 {
        let answer = server.get("/index/ab/cd/abcd", &[("Accept-Encoding", "deflate, gzip")]);
        assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
        assert_eq!(answer.header("etag"), format!("W/\"{}\"", blob(&server, "ab/cd/abcd")));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, long());
    }
    let refused = server.get("/index/ab/cd/abcd", &[("Accept-Encoding", "gzip;q=0")]);
    assert_eq!((refused.header("content-encoding"), refused.text()), ("", long().as_str()));
    let short = server.get("/index/1/a", &[("Accept-Encoding", "gzip")]);
    assert_eq!((short.header("content-encoding"), short.text()), ("", "short"));
}

// protocol: 20
#[test]
fn each_encoding_of_a_file_has_its_own_tag_which_a_304_has_too() {
    let server = Server::start();
    server.commit(&[("ab/cd/abcd", &long()), ("1/a", "short")]);
    for path in ["ab/cd/abcd", "1/a"] {
        for accepted in ["", "deflate, gzip", "gzip, deflate, br, zstd", "gzip;q=0.5, zstd;q=0.4"] {
            let url = format!("/index/{path}");
            let whole = server.get(&url, &[("Accept-Encoding", accepted)]);
            let plain = match whole.header("content-encoding") {
                "" => whole.body.clone(),
                "gzip" => std::io::read_to_string(flate2::read::GzDecoder::new(&whole.body[..])).unwrap().into_bytes(),
                "zstd" => zstd::stream::decode_all(&whole.body[..]).unwrap(),
                other => panic!("{other}"),
            };
            assert_eq!(plain, if path == "1/a" { b"short".to_vec() } else { long().into_bytes() });
            assert_eq!(whole.header("etag").starts_with("W/"), !whole.header("content-encoding").is_empty());
            for known in [whole.header("etag").to_owned(), whole.header("etag").replace("W/", "")] {
                let again = server.get(&url, &[("Accept-Encoding", accepted), ("If-None-Match", &known)]);
                assert_eq!((again.status, again.body.len()), (304, 0), "{accepted}");
                for header in ["etag", "vary", "cache-control"] {
                    assert_eq!(again.header(header), whole.header(header), "{accepted}");
                }
            }
        }
    }
    let coding = |accepted| server.get("/index/ab/cd/abcd", &[("Accept-Encoding", accepted)]);
    assert_eq!(coding("gzip, zstd").header("content-encoding"), "zstd");
    assert_eq!(coding("deflate, gzip").header("content-encoding"), "gzip", "as cargo asks");
}

#[test]
fn if_match_is_answered_412_when_it_names_another_state() {
    let server = Server::start();
    server.commit(&[("1/a", "one")]);
    let tag = format!("\"{}\"", blob(&server, "1/a"));
    assert_eq!(server.get("/index/1/a", &[("If-Match", &tag)]).status, 200);
    let failed = server.get("/index/1/a", &[("If-Match", "\"other\"")]);
    assert_eq!((failed.status, failed.header("cache-control")), (412, "no-store"));
}

#[test]
fn head_has_the_headers_and_no_body() {
    let server = Server::start();
    server.commit(&[("ab/cd/abcd", &long())]);
    let get = server.get("/index/ab/cd/abcd", &[]);
    let head = server.send("HEAD", "/index/ab/cd/abcd", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers, get.headers);
    assert_eq!(head.header("content-length"), long().len().to_string());
}

// protocol: 13, 14
#[test]
fn an_absent_file_is_404_until_it_is_committed() {
    let server = Server::start();
    for path in ["/index/config.json", "/index/ab/cd/abcd", "/index/1/a"] {
        let answer = server.get(path, &[]);
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("etag"), "");
    }
    insta::assert_snapshot!(server.get("/index/ab/cd/abcd", &[]).text(), @"no such file in the index: ab/cd/abcd");
    server.commit(&[("ab/cd/abcd", "x")]);
    assert_eq!(server.get("/index/ab/cd/abcd", &[]).status, 200);
}

// protocol: 11
#[test]
fn another_spelling_of_a_path_is_answered_as_the_right_one() {
    let server = Server::start();
    server.commit(&[("ab/cd/abcd", &long()), ("3/a/abc", "three"), ("2/ab", "two"), ("1/a", "one")]);
    let tag = blob(&server, "ab/cd/abcd");
    let known = format!("\"{tag}\"");
    for (right, others) in [
        ("ab/cd/abcd", &["Ab/cd/Abcd", "AB/CD/ABCD", "ab/ce/abcd", "3/abcd", "3/a/abcd", "1/abcd"][..]),
        ("3/a/abc", &["3/ab/abc", "3/A/Abc", "ab/c/abc", "3/abc"]),
        ("2/ab", &["2/AB", "ab/ab", "2/a/ab"]),
        ("1/a", &["1/A", "a/a", "1/a/a"]),
        ("ef/gh/efgh", &["Ef/gh/Efgh"]),
    ] {
        for headers in [&[][..], &[("Accept-Encoding", "gzip")], &[("If-None-Match", &known)]] {
            let expected = server.get(&format!("/index/{right}"), headers);
            for other in others {
                let answer = server.get(&format!("/index/{other}"), headers);
                assert_eq!((answer.status, &answer.body), (expected.status, &expected.body), "{other} {headers:?}");
                assert_eq!(answer.headers, expected.headers, "{other} {headers:?}");
            }
        }
    }
    assert_eq!(server.get("/index/AB/CD/ABCD", &[("If-None-Match", &known)]).status, 304);
    server.commit(&[("a-/bc/a-bc", "x")]);
    assert_eq!(server.get("/index/a_/bc/a_bc", &[]).status, 404, "cargo itself tries the other spelling");
}

#[test]
fn a_name_alone_leads_to_the_crate_in_the_api() {
    let server = Server::start();
    for name in ["a", "ab", "Abc", "serde_json", "x-1"] {
        let mut response = ureq::Agent::new_with_config(ureq::Agent::config_builder().max_redirects(0).build())
            .get(format!("{}/index/{name}", server.url))
            .call()
            .unwrap();
        let url = format!("http://registry.test/api/v1/crates/{name}");
        assert_eq!((response.status().as_u16(), &response.headers()["location"]), (307, &url.parse().unwrap()));
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.body_mut().read_to_string().unwrap(), format!("the crate `{name}` is at {url}\n"));
    }
    for no_name in ["1", "3", "a.b", "-", "config.json", &"a".repeat(65)] {
        assert_eq!(server.get(&format!("/index/{no_name}"), &[]).status, 404, "{no_name}");
    }
}

#[test]
fn invalid_paths_are_404() {
    let server = Server::start();
    server.commit(&[("config.json", "{}"), ("ab/cd/abcd", "x")]);
    let longest = format!("/index/{}", "a/".repeat(4000));
    for path in [
        "/index/ab/cd",
        "/index/ab/cd/abcd/",
        "/index//ab/cd/abcd",
        "/index/ab/cd/../cd/abcd",
        "/index/%2e%2e/%2e%2e/etc/passwd",
        "/index/..%2f..%2fetc%2fpasswd",
        "/index/abc/ce/abcd",
        "/index/objects/info/packs",
        "/index/ab/cd/abcd%00",
        "/index/%ff%fe",
        "/index/ab/cd/%C3%A4bcd",
        "/index/xx/yy/config.json",
        &longest,
    ] {
        let answer = server.get(path, &[]);
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{path}: {}", answer.text());
    }
    assert_eq!(server.get("/index/%61b/cd/abcd", &[]).status, 200, "an encoded letter is the letter");
    assert_eq!(server.get("/index/", &[]).status, 200, "an introduction for people");
}

// protocol: 24
#[test]
fn a_damaged_index_is_503_and_not_404() {
    let server = Server::start();
    // Another process writes the index, so this one has nothing of it in memory.
    let other = Index::open_or_init(server.index.path()).unwrap();
    let change =
        Change { path: "1/a".to_owned(), content: Some(b"x".as_slice().into()), message: "Publish a".to_owned() };
    other.lock_writer().unwrap().commit(&other.head().unwrap(), &[change]).unwrap();
    std::fs::remove_dir_all(server.index.path().join("objects/pack")).unwrap();
    let answer = server.get("/index/1/a", &[]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    insta::assert_snapshot!(answer.text(), @"the index cannot be read: see the server log");
}
