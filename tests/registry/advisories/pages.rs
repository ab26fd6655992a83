//! The pages of advisories.

use serde_json::json;

use super::{osv, rustsec, served, wait_until_known, write};
use crate::support::faulty_upstream::FaultyUpstream;
use crate::support::http;

#[test]
fn advisories_are_listed_searched_and_shown_and_their_texts_are_not_trusted() {
    let (upstream, directory) = (FaultyUpstream::start(), tempfile::tempdir().unwrap());
    let mut hostile = osv("GHSA-1", "foo-bar", &json!([{ "introduced": "0.2.0" }, { "fixed": "1.2.3" }]));
    hostile["summary"] = json!("<script>alert(1)</script> 100%");
    hostile["details"] =
        json!("It *leaks*. <img src=x onerror=alert(2)> [here](javascript:alert(3)) [there](docs/a.md)");
    hostile["references"] = json!([
        { "type": "WEB", "url": "javascript:alert(4)" }, { "type": "ADVISORY", "url": "https://example.com/\"onclick=\"alert(5)" },
        { "type": "WEB", "url": "https://example.com/blog" },
    ]);
    write(directory.path(), "crates/GHSA-1.json", hostile.to_string());
    write(directory.path(), "crates/foo/RUSTSEC-2026-0001.md", rustsec(1, "", "informational = \"unmaintained\""));
    write(directory.path(), "crates/foo/RUSTSEC-2026-0002.md", rustsec(2, "", "withdrawn = \"2026-03-01\""));
    let served = served(&upstream, directory.path().to_str().unwrap(), &[]);
    wait_until_known(&served, &["RUSTSEC-2026-0001", "GHSA-1"]);
    let page = |path: &str| http::get_page(&format!("{}{path}", served.url)).good().text();
    let all = page("/advisories");
    assert!(all.contains("2 advisories") && all.contains("href=\"/advisories/GHSA-1?upstream=other\""), "{all}");
    assert!(all.contains("unmaintained") && !all.contains("RUSTSEC-2026-0002"), "{all}");
    for (query, found) in
        [("foo_BAR", "GHSA-1"), ("rustsec-2026", "RUSTSEC-2026-0001"), ("100%25", "GHSA-1"), ("overflow", "RUSTSEC")]
    {
        let some = page(&format!("/advisories?q={query}"));
        assert!(some.contains("1 advisory") && some.contains(found), "{query}: {some}");
    }
    assert!(page("/advisories?q=_").contains("1 advisory"), "the name has a dash for it");
    assert!(page("/advisories?upstream=none").contains("There is none."));
    let one = page("/advisories/GHSA-1");
    for part in [
        "&lt;script&gt;alert(1)",
        "<em>leaks</em>",
        "&gt;= 0.2.0, &lt; 1.2.3",
        "href=\"https://example.com/blog\" rel=\"nofollow noopener",
    ] {
        assert!(one.contains(part), "{part}: {one}");
    }
    for part in ["<script>alert", "onerror", "javascript:", "\"onclick", "docs/a.md\""] {
        assert!(!one.contains(part), "{part}: {one}");
    }
    assert!(page("/advisories/RUSTSEC-2026-0002").contains("Withdrawn"));
    let absent = http::get_page(&format!("{}/advisories/GHSA-9", served.url));
    assert_eq!(absent.status, 404);
    assert!(absent.text().to_lowercase().contains("there is no advisory ghsa-9"), "{}", absent.text());
}
