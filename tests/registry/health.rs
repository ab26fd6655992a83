//! `/health/live` and `/health/ready`.

use std::io::{Read, Write};
use std::net::TcpStream;

use diesel::connection::SimpleConnection;
use nix::sys::signal::Signal;

use crate::support::event::{wait_for, wait_until};
use crate::support::harness::TestRegistry;
use crate::support::http;
use crate::support::process::Served;
use crate::support::s3::S3Server;

fn ready(served: &Served) -> (u16, String) {
    let reply = http::get(&format!("{}/health/ready", served.url));
    (reply.status, reply.text())
}

#[test]
fn health_needs_no_token_and_shows_states_only() {
    let registry = TestRegistry::with(|settings| settings.auth_required = true);
    let anyone = registry.anonymous();
    assert_eq!(anyone.get("/api/v1/crates").status, 401);
    insta::assert_snapshot!(anyone.get("/health/live").good().text(), @r#"{"status":"live"}"#);
    // The index of this registry has no config.json, which only a start writes.
    let answer = anyone.get("/health/ready");
    assert_eq!((answer.status.as_u16(), &answer.headers["cache-control"]), (503, &"no-store".parse().unwrap()));
    insta::assert_snapshot!(answer.text(), @r#"{"status":"not ready","database":"ok","index":"failed","store":"ok","worker":"none"}"#);
}

#[test]
fn jobs_that_are_left_to_others_do_not_count() {
    let mut served = Served::start(&["--no-worker"]);
    let with = |worker: &str| {
        (200, format!(r#"{{"status":"ready","database":"ok","index":"ok","store":"ok","worker":"{worker}"}}"#))
    };
    assert_eq!(ready(&served), with("none"));
    served.start_worker();
    wait_until("the worker", || ready(&served) == with("elsewhere"));
}

/// A client that is already connected can send one more request.
#[test]
fn a_registry_that_is_stopping_is_not_ready() {
    let mut served = Served::start_with_log("info", &[]);
    wait_until("readiness", || ready(&served).0 == 200);
    let mut connected = TcpStream::connect(served.address()).unwrap();
    served.signal(Signal::SIGTERM);
    wait_until("the word to stop", || served.log().contains("shutting down after current requests"));
    wait_until("its effect", || !served.data_dir().join("url").exists());
    connected.write_all(b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connected.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(r#""status":"stopping""#), "{answer}");
    served.wait();
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn a_registry_is_ready_while_database_store_and_workers_are() {
        let served = Served::start_with_log("info", &["--database-pool-size", "2"]);
        let all_good = r#"{"status":"ready","database":"ok","index":"ok","store":"ok","worker":"working"}"#;
        wait_until("readiness", || ready(&served) == (200, all_good.to_owned()));

        let crates = served.data_dir().join("crates");
        let aside = served.data_dir().join("aside");
        std::fs::rename(&crates, &aside).unwrap();
        std::fs::write(&crates, "no directory").unwrap();
        let (_, said) = wait_for("the store", || Some(ready(&served)).filter(|(status, _)| *status == 503));
        assert!(said.contains(r#""store":"failed""#) && said.contains(r#""database":"ok""#), "{said}");
        let logged = |level: &str, text: &str| {
            served.log().lines().any(|line| line.contains(&format!(" {level} ")) && line.contains(text))
        };
        assert!(
            logged("WARN", ": the registry is not ready: store: failed (cannot access the file "),
            "{}",
            served.log()
        );
        std::fs::remove_file(&crates).unwrap();
        std::fs::rename(&aside, &crates).unwrap();
        wait_until("the store again", || ready(&served).0 == 200);
        assert!(logged("INFO", ": the registry is ready"), "{}", served.log());

        // Rejects new connections and closes existing ones.
        let name = served.database.name().to_owned();
        let mut administrator = crate::support::cluster::administrator();
        administrator
            .batch_execute(&format!(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ))
            .unwrap();
        let (_, said) = wait_for("the outage", || {
            Some(ready(&served))
                .filter(|(_, said)| said.contains(r#""database":"failed""#) && said.contains(r#""worker":"failed""#))
        });
        assert!(said.contains(r#""status":"not ready""#) && !said.contains("postgres"), "{said}");
        assert_eq!(http::get(&format!("{}/health/live", served.url)).status, 200);
        administrator.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).unwrap();
        wait_until("the database again", || ready(&served) == (200, all_good.to_owned()));
    }

    #[test]
    fn a_part_that_hangs_is_not_waited_for() {
        let server = S3Server::start();
        let arguments = server.arguments();
        let served = Served::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        wait_until("readiness", || ready(&served).0 == 200);
        server.proxy.stall();
        let (_, said) = wait_for("the outage", || Some(ready(&served)).filter(|(status, _)| *status == 503));
        assert!(said.contains(r#""store":"no-answer""#), "{said}");
        assert_eq!(http::get(&format!("{}/health/live", served.url)).status, 200);
        server.proxy.recover();
        server.proxy.cut();
        wait_until("readiness again", || ready(&served).0 == 200);
    }
}
