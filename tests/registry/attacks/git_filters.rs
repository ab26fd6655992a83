//! Filters of git fetches that cost memory and time.

use crate::support::git_fetch::{Fetcher, fetch_v2, line};
use crate::support::http::Reply;
use crate::support::process::Served;

/// A filter of 7 KB took 1 GB and 17 s on an index of 4,000 commits, one of 56 KB more than 6 GB.
#[test]
fn filters_other_than_blob_none_are_refused_before_git_starts() {
    let served = Served::start_with_log("debug", &[]);
    let fetcher = Fetcher::new(&served);
    let head = fetcher.fill(300);
    for filter in [
        format!("combine:{}", vec!["tree:1"; 1000].join("+")),
        format!("combine:{}", vec!["tree:1"; 6000].join("+")),
        "combine:blob:none+blob:none".to_owned(),
        "tree:0".to_owned(),
        "blob:limit=1".to_owned(),
        "sparse:oid=main".to_owned(),
        "object:type=blob".to_owned(),
        "blob:none ".to_owned(),
    ] {
        let argument = format!("filter {filter}");
        let want = format!("want {head}");
        let answer = fetcher.post(2, &fetch_v2(&[&argument, &want, "done"]));
        let is_refusal = |answer: &Reply| {
            let text = answer.text();
            answer.status == 200
                && text.len() < 200
                && text[4..].starts_with("ERR the filter")
                && !text.contains("pack")
        };
        assert!(is_refusal(&answer), "{} {}", answer.status, answer.text());
        let old = format!("{}{}00000009done\n", line(&format!("want {head} filter\n")), line(&argument));
        let answer = fetcher.post(0, old.as_bytes());
        assert!(is_refusal(&answer), "{} {}", answer.status, answer.text());
    }
    let want = format!("want {head}");
    assert_eq!(fetcher.post(2, &fetch_v2(&["filter blob:none", &want, "done"])).status, 200);
    assert!(!served.log().contains("WARN"), "{}", served.log());
}
