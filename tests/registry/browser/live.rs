//! Pages that change while somebody looks at them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::Browser;
use super::site::{LOST, Site};
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

#[test]
fn a_dead_job_is_retried_after_a_question_and_its_page_shows_how_that_ends() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/queue");
    assert!(browser.path().starts_with("/sign-in?to="), "{}", browser.path());
    browser.sign_in(&site.root);
    browser.wait_for_path("/queue");
    let counted = "[data-live] .counts";
    assert!(browser.text(counted).contains("publish_version"), "{}", browser.text(counted));
    browser.run(browser.find("#state").send_keys("dead"));
    browser.click("form.filters button");
    browser.wait_for_text("table.jobs", LOST);
    browser.click("table.jobs th a");
    let job = format!("/queue/jobs/{}", site.dead_job());
    browser.wait_for_path(&job);
    assert!(browser.text("ol.causes").len() > 10);
    browser.run(async { browser.session().find(thirtyfour::By::LinkText("Retry…")).await?.click().await });
    browser.wait_for_path(&format!("{job}/retry"));
    assert!(browser.text("main").contains("with its attempts reset"));
    site.heal_the_dead_job();
    browser.click("main button.primary");
    browser.wait_for_path(&format!("{job}?notice=retried"));
    browser.script("window.isTheSamePage = true", []);
    browser.wait_for_text(".lead .tag", "done");
    assert!(browser.holds("window.isTheSamePage"), "the page was loaded again");
    assert!(browser.text("ol.receipts").contains("admin root on a page"), "{}", browser.text("ol.receipts"));
    browser.open(&format!("/crates/{LOST}/1.0.0/status"));
    assert!(browser.text("#status-now").contains("Published."));
}

#[test]
fn the_queue_stays_where_it_is_read_while_it_is_refreshed() {
    let site = Site::public();
    let browser = Browser::start(&site.served.url);
    browser.open("/sign-in");
    browser.sign_in(&site.root);
    browser.look(super::Look { width: 320, is_dark: false });
    browser.open("/queue");
    let kept = "const one = document.querySelector('[aria-label=\"Jobs by kind\"]');";
    browser.script(&format!("{kept} one.focus(); one.scrollLeft = 40; window.before = one"), []);
    // A job that ends changes the page.
    browser.wait_until_holds("!window.before.isConnected");
    let now = browser.script(&format!("{kept} return [document.activeElement === one, one.scrollLeft]"), []);
    assert_eq!(now, serde_json::json!([true, 40]));
}

#[test]
fn a_dead_job_is_retried_without_javascript() {
    let site = Site::public();
    let browser = Browser::start_without_script(&site.served.url);
    let job = format!("/queue/jobs/{}", site.dead_job());
    browser.open(&job);
    browser.sign_in(&site.root);
    browser.wait_for_path(&job);
    site.heal_the_dead_job();
    browser.click(&format!("a[href='{job}/retry']"));
    browser.click("main button.primary");
    browser.wait_for_path(&format!("{job}?notice=retried"));
    let is_done = || {
        browser.run(async { browser.session().find(thirtyfour::By::LinkText("Look again")).await?.click().await });
        browser.text(".lead .tag") == "done"
    };
    crate::support::event::wait_until("the job", is_done);
}
