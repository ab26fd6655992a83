//! Invalid requests of the git protocol.

use crate::support::git_fetch::{Fetcher, fetch_v2, line};
use crate::support::git_remote::git;
use crate::support::process::{Served, succeeded};

/// They got 500, and each was a warning in the log.
#[test]
fn an_invalid_request_is_400_and_no_warning() {
    let served = Served::start_with_log("info,supercargo=debug", &[]);
    let fetcher = Fetcher::new(&served);
    let head = fetcher.fill(3);
    let index = served.data_dir().join("index.git");
    let tree = succeeded(git(&index).args(["rev-parse", "main^{tree}"]).output().unwrap()).trim().to_owned();
    let want = format!("want {head}");
    let fetch = |arguments: &[&str]| fetch_v2(&[arguments, &[&*want, "done"]].concat());
    let old = |text: &str| format!("{}{text}", line(&format!("want {head}\n"))).into_bytes();
    let command = |text: &str| format!("{}0000", line(text)).into_bytes();
    let garbage = [
        (0, b"zzzz".to_vec()),
        (0, b"0003".to_vec()),
        (0, Vec::new()),
        (0, b"fff0".to_vec()),
        (0, old("")),
        (0, old("0000zzzz")),
        (0, old(&format!("{}0000", line("deepen -5")))),
        (0, old(&format!("{}0000", line("deepen 0x10")))),
        (0, old(&format!("{}0000", line("deepen 010")))),
        (0, old(&format!("{}0000", line("frobnicate")))),
        (0, old(&format!("0000{}", line("frobnicate\n")))),
        (0, command("want 1")),
        (0, command("want \u{1b}[31mfoo")),
        (2, b"zzzz".to_vec()),
        (2, Vec::new()),
        (2, command("command=frobnicate")),
        (2, command("command=object-info")),
        (2, command("command=bundle-uri")),
        (2, command("agent=git/2")),
        (2, command("frobnicate")),
        (2, format!("{}{}0000", line("command=fetch"), line("object-format=sha256")).into_bytes()),
        (2, format!("{}{}0000", line("command=fetch"), line("command=fetch")).into_bytes()),
        (2, format!("{}0001{}0000", line("command=ls-refs"), line("frobnicate")).into_bytes()),
        (2, fetch(&["deepen -5"])),
        (2, fetch(&["deepen 5000000000"])),
        (2, fetch(&["deepen 010"])),
        (2, fetch(&["deepen 1", "deepen-since 5"])),
        (2, fetch(&["deepen-since yesterday"])),
        (0, old(&format!("{}00000009done\n", line(&format!("shallow {tree}\n"))))),
        (2, fetch(&[&format!("shallow {tree}")])),
        (2, fetch(&["have 123"])),
        (2, fetch(&["frobnicate"])),
        (2, fetch(&["sideband-all"])),
        (2, fetch(&["want-ref refs/heads/main"])),
        (2, fetch(&["packfile-uris https"])),
        (2, fetch(&[])[..60].to_vec()),
    ];
    for (version, body) in garbage {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = fetcher.post(version, &body);
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        let text = answer.text();
        assert!(text.len() < 200 && !text.trim_end().contains(char::is_control), "{shown}: {text}");
    }
    // For an absent commit, git's own error is in an answer that git's client understands.
    for version in [0, 2] {
        let nowhere = format!("want {}", "1".repeat(40));
        let body = match version {
            0 => format!("{}00000009done\n", line(&format!("{nowhere}\n"))).into_bytes(),
            _ => fetch_v2(&[&nowhere, "done"]),
        };
        let answer = fetcher.post(version, &body);
        assert!(answer.status == 200 && answer.text().contains("not our ref"), "{}", answer.text());
    }
    // So is its error about an option of its own.
    let answer = fetcher.post(2, &fetch(&["deepen-not nowhere"]));
    assert!(
        answer.status == 200 && answer.text().contains("ERR upload-pack: ambiguous deepen-not"),
        "{}",
        answer.text()
    );
    let log = served.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert!(log.contains("refused a fetch"), "{log}");
}
