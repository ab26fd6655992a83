//! Pages that change while somebody looks at them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::Browser;
use crate::support::cargo::Cargo;
use crate::support::process::Served;

#[test]
fn a_publish_by_cargo_is_followed_from_its_warning_to_the_index() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
    let cargo = Cargo::new(&format!("sparse+{}/index/", served.url), &served.token("ann"));
    cargo.library("live", "1.0.0", "", "");
    let mut publish = cargo.command("live", &["publish", "--registry", "supercargo", "--no-verify", "--allow-dirty"]);
    // cargo waits until the index shows the version.
    let mut publish = publish.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(publish.stderr.take().unwrap()).lines().map(Result::unwrap);
    let place = said.find_map(|line| {
        let (_, path) = line.split_once(&served.url)?;
        path.ends_with("/status").then(|| path.to_owned())
    });
    let place = place.expect("the warning names the page");
    assert_eq!(place, "/crates/live/1.0.0/status");

    let browser = Browser::start(&served.url);
    browser.open(&place);
    browser.script("window.isTheSamePage = true", []);
    assert!(browser.text("#status-now").contains("Queued."), "{}", browser.text("#status-now"));
    assert_eq!(browser.texts(".stages [aria-current=step]").len(), 1);
    let plain = Browser::start_without_script(&served.url);
    plain.open(&place);
    assert!(plain.text("#status-now").contains("Queued."));

    served.start_worker();
    browser.wait_for_text("#status-now", "Published.");
    browser.wait_until_holds("!document.querySelector('.stages [aria-current=step]')");
    assert!(browser.text("#status-more").contains("commit"), "{}", browser.text("#status-more"));
    assert!(browser.title().contains("published"), "{}", browser.title());
    assert!(browser.holds("window.isTheSamePage") && browser.path() == place, "the page was loaded again");
    assert_eq!(browser.console(), [""; 0]);
    plain.run(async { plain.session().find(thirtyfour::By::LinkText("Look again")).await?.click().await });
    plain.wait_for_text("#status-now", "Published.");
    let rest: Vec<String> = said.collect();
    assert!(publish.wait().unwrap().success(), "{rest:?}");
}
