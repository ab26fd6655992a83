//! Exchanges, publishes and removals at the same time: none of them deadlocks, and no ID token is exchanged twice.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::TOKENS;
use crate::support::http;
use crate::support::issuer::Issuer;
use crate::support::package::Package;
use crate::support::process::Served;

fn with_issuer() -> (Served, Issuer, String) {
    let served = Served::start(&[]);
    let issuer = Issuer::new("/_services/token");
    served.run("publisher issuer add", &["github", &issuer.url]);
    let token = served.token("ann");
    http::publish(&served.url, &token, &Package::new("foo", "1.0.0")).good();
    (served, issuer, token)
}

fn audience(served: &Served) -> &str {
    served.url.trim_start_matches("http://")
}

fn exchange(served: &Served, issuer: &Issuer) -> (u16, Value) {
    post(served, &issuer.key.sign(&issuer.of_github(audience(served))))
}

fn post(served: &Served, jwt: &str) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(format!("{}{TOKENS}", served.url)).send(json!({ "jwt": jwt }).to_string()).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
}

fn add(served: &Served, crates: &str, more: &[&str], issuer: &Issuer) -> String {
    let usual =
        [crates, "--github", "acme/widgets", "--workflow", "release.yml", "--owner-id", "42", "--issuer", &issuer.url];
    let said = served.run("publisher add", &[&usual, more].concat());
    said.trim_start_matches("trusted publisher ").split(':').next().unwrap().to_owned()
}

#[test]
fn exchanges_and_publishes_of_several_publishers_do_not_deadlock() {
    let (served, issuer, _) = with_issuer();
    // The one that only stages has the lower number, and is the last choice of a publish.
    add(&served, "f*", &["--owner", "ann", "--stage-only"], &issuer);
    add(&served, "foo", &[], &issuer);
    let number = AtomicUsize::new(0);
    let until = Instant::now() + Duration::from_secs(4);
    std::thread::scope(|scope| {
        for place in 0..8 {
            let (served, issuer, number) = (&served, &issuer, &number);
            scope.spawn(move || {
                while Instant::now() < until {
                    let (status, answer) = exchange(served, issuer);
                    assert_eq!(status, 200, "{answer}");
                    if place % 2 == 0 {
                        let num = format!("1.{}.0", number.fetch_add(1, Ordering::SeqCst) + 1);
                        http::publish(&served.url, answer["token"].as_str().unwrap(), &Package::new("foo", &num))
                            .good();
                    }
                }
            });
        }
    });
    assert!(number.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_publisher_is_removed_while_its_token_publishes() {
    let (served, issuer, _) = with_issuer();
    let (number, published) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for _ in 0..8 {
        let id = add(&served, "f*", &["--owner", "ann"], &issuer);
        let (_, answer) = exchange(&served, &issuer);
        let token = answer["token"].as_str().unwrap();
        let is_removed = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let ends = is_removed.load(Ordering::SeqCst);
                        let num = format!("1.{}.0", number.fetch_add(1, Ordering::SeqCst) + 1);
                        let reply = http::publish(&served.url, token, &Package::new("foo", &num));
                        assert!([200, 403].contains(&reply.status), "{}", reply.text());
                        published.fetch_add(usize::from(reply.status == 200), Ordering::SeqCst);
                        if ends {
                            assert_eq!(reply.status, 403, "{}", reply.text());
                            break;
                        }
                    }
                });
            }
            std::thread::park_timeout(Duration::from_millis(100));
            served.run("publisher remove", &[&id]);
            is_removed.store(true, Ordering::SeqCst);
        });
    }
    assert!(published.load(Ordering::SeqCst) > 0);
}

#[test]
fn an_id_token_that_is_sent_many_times_at_once_is_exchanged_once() {
    let (served, issuer, _) = with_issuer();
    add(&served, "foo", &[], &issuer);
    // The keys are known then: fewer than these may wait for them.
    exchange(&served, &issuer);
    let jwt = issuer.key.sign(&issuer.of_github(audience(&served)));
    let exchanged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let (status, answer) = post(&served, &jwt);
                match status {
                    200 => drop(exchanged.fetch_add(1, Ordering::SeqCst)),
                    400 => assert!(answer.to_string().contains("was exchanged before"), "{answer}"),
                    _ => panic!("{status} {answer}"),
                }
            });
        }
    });
    assert_eq!(exchanged.load(Ordering::SeqCst), 1);
}

#[test]
fn an_issuer_that_does_not_answer_keeps_nobody_else_waiting() {
    let (served, issuer, token) = with_issuer();
    add(&served, "foo", &[], &issuer);
    exchange(&served, &issuer);
    // It accepts connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    served.run("publisher issuer add", &["oidc", &url]);
    let mut claims = issuer.claims(audience(&served));
    claims["iss"] = url.into();
    let of_silent = issuer.key.sign(&claims);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..100).map(|_| scope.spawn(|| post(&served, &of_silent).0)).collect();
        let (fetching, _) = silent.accept().unwrap();
        // Requests that wait for no issuer have threads left.
        for num in ["1.1.0", "1.2.0"] {
            http::publish(&served.url, &token, &Package::new("foo", num)).good();
        }
        assert_eq!(exchange(&served, &issuer).0, 200);
        // The client closes its connection when it gives up.
        fetching.set_nonblocking(true).unwrap();
        let mut request = [0; 4096];
        while fetching.peek(&mut request).is_ok_and(|length| length > 0) {
            let length = (&fetching).read(&mut request).unwrap();
            assert!(length > 0);
        }
        let state = fetching.peek(&mut request).map_err(|error| error.kind());
        assert_eq!(state, Err(std::io::ErrorKind::WouldBlock), "the keys were given up before");
        for one in waiting {
            assert_eq!(one.join().unwrap(), 503);
        }
    });
}
