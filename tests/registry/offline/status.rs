//! What a command shows of upstreams without asking them.

use serde_json::{Value, json};

use super::{crates_io, library, lock_file, run};

#[test]
fn what_is_kept_decided_and_pinned_of_an_upstream_is_shown() {
    let (mut upstream, served) = crates_io(&[]);
    let foo = library("foo", "1.0.0");
    let lock = lock_file(&served, "Cargo.lock", &[&foo]);
    run(&served, &upstream, "upstream fetch", &["--lock", &lock, "--pin"]);
    served.run("upstream hold", &["crates-io", "bar", "--reason", "looked into"]);
    served.run("upstream block", &["crates-io", "bar@1.0.0", "--reason", "taken over"]);
    let asked = upstream.log().len();
    let shown: Value = serde_json::from_str(&run(&served, &upstream, "upstream status", &["--json"])).unwrap();
    let one = &shown["upstreams"][0];
    assert_eq!(one["upstream"], "crates-io");
    assert_eq!(one["index_files"], json!({ "directory": 1, "database": 0 }));
    assert_eq!(one["rules"], json!({ "allow": 0, "hold": 1, "block": 1 }));
    assert_eq!((&one["pins"], &one["alarms_in_30_days"], &one["away_since"]), (&json!(1), &json!(0), &json!(null)));
    let size = foo.crate_file().len();
    let files = &shown["crate_files"];
    assert_eq!((&files["bytes"], &files["pinned_bytes"]), (&json!(size), &json!(size)));
    assert_eq!(upstream.log().len(), asked);
    upstream.stop();
    let table = run(&served, &upstream, "upstream status", &[]);
    assert!(table.contains(&format!("{size} bytes of 10737418240, of which {size} are pinned")), "{table}");
}
