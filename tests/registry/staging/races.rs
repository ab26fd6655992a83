//! Approvals that meet other requests.

use std::sync::Barrier;

use serde_json::json;

use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::Served;

fn stage(served: &Served, token: &str, set: &str, package: &Package) -> Reply {
    http::put_bytes_as(&format!("{}/stage/{set}/api/v1/crates/new", served.url), token, &package.body())
}

fn decide(served: &Served, token: &str, set: &str, decision: &str) -> u16 {
    let url = format!("{}/api/v1/release-sets/{set}/{decision}", served.url);
    http::put_json_as(&url, token, &json!({ "reason": "not this one" })).status
}

fn numbers(served: &Served, name: &str) -> usize {
    http::index_lines(&served.url, &supercargo::package::index_path::index_path(&name.parse().unwrap())).len()
}

/// Runs both at the same moment.
fn together<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    let gate = Barrier::new(2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| {
            gate.wait();
            one()
        });
        gate.wait();
        let other = other();
        (one.join().unwrap(), other)
    })
}

#[test]
fn of_two_decisions_one_holds() {
    let served = Served::start(&[]);
    let (ann, root) = (served.token("ann"), served.token("root"));
    served.run("admin user promote", &["root"]);
    let (mut approved, mut rejected) = (0, 0);
    for round in 0..20 {
        let (set, name) = (format!("set{round}"), format!("crate{round}"));
        for number in ["1.0.0", "1.1.0"] {
            assert_eq!(stage(&served, &ann, &set, &Package::new(&name, number)).status, 200);
        }
        let (one, other) = if round % 2 == 0 {
            together(|| decide(&served, &ann, &set, "approve"), || decide(&served, &root, &set, "reject"))
        } else {
            together(|| decide(&served, &ann, &set, "approve"), || decide(&served, &root, &set, "approve"))
        };
        // The one that came later is told that the set has ended.
        assert_eq!([one, other].iter().filter(|status| **status == 200).count(), 1, "{one} and {other}");
        assert!([one, other].contains(&409), "{one} and {other}");
        let is_published = round % 2 == 1 || one == 200;
        assert_eq!(numbers(&served, &name), if is_published { 2 } else { 0 });
        if is_published { approved += 1 } else { rejected += 1 }
    }
    println!("{approved} approved, {rejected} rejected");
    assert!(served.run("verify", &[]).contains("no differences"));
}

#[test]
fn stagings_and_yanks_that_begin_a_set_together_all_hold() {
    let served = Served::start(&[]);
    let ann = served.token("ann");
    assert_eq!(http::publish(&served.url, &ann, &Package::new("old", "1.0.0")).status, 200);
    for (round, name) in ["old", "new", "old", "newer"].into_iter().enumerate() {
        let set = format!("set{round}");
        let yank = || {
            let url = format!("{}/stage/{set}/api/v1/crates/old/1.0.0/yank", served.url);
            http::delete_as(&url, &ann).status
        };
        let gate = Barrier::new(10);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let requests = (0..10).map(|place| {
                let (gate, ann, set, yank, served) = (&gate, &ann, &set, &yank, &served);
                scope.spawn(move || {
                    gate.wait();
                    let package = Package::new(name, &format!("2.{round}.{place}"));
                    if place == 9 { yank() } else { stage(served, ann, set, &package).status }
                })
            });
            let requests: Vec<_> = requests.collect();
            requests.into_iter().map(|request| request.join().unwrap()).collect()
        });
        assert_eq!(statuses, [200; 10], "round {round}");
        assert_eq!(decide(&served, &ann, &set, "reject"), 200);
    }
}

#[test]
fn an_approval_and_a_plain_publish_of_other_numbers_both_hold() {
    let served = Served::start(&[]);
    let ann = served.token("ann");
    for round in 0..20 {
        let (set, name) = (format!("set{round}"), format!("crate{round}"));
        assert_eq!(http::publish(&served.url, &ann, &Package::new(&name, "1.0.0")).status, 200);
        assert_eq!(stage(&served, &ann, &set, &Package::new(&name, "2.0.0")).status, 200);
        let publish = |number: &str| http::publish(&served.url, &ann, &Package::new(&name, number)).status;
        let (approved, (same, other)) =
            together(|| decide(&served, &ann, &set, "approve"), || (publish("2.0.0"), publish("2.1.0")));
        // The same number is taken before and after.
        assert_eq!((approved, same, other), (200, 409, 200));
        assert_eq!(numbers(&served, &name), 3);
    }
}

#[test]
fn of_two_sets_that_stage_a_new_crate_one_gets_it() {
    let served = Served::start(&[]);
    let (ann, bob) = (served.token("ann"), served.token("bob"));
    for round in 0..20 {
        let name = format!("crate{round}");
        let one = |token: &str, set: &str| {
            stage(&served, token, &format!("{set}{round}"), &Package::new(&name, "1.0.0")).status
        };
        let (first, second) = if round % 2 == 0 {
            together(|| one(&ann, "a"), || one(&bob, "b"))
        } else {
            together(|| one(&ann, "a"), || http::publish(&served.url, &bob, &Package::new(&name, "2.0.0")).status)
        };
        let held = [first, second].iter().filter(|status| **status == 200).count();
        assert_eq!(held, 1, "{first} and {second}");
    }
}
