//! A connection pooler between the registry and its database.

use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::http;
use crate::support::package::Package;
use crate::support::pgbouncer::PgBouncer;
use crate::support::process::{failed, succeeded, supercargo, wait_for_url};

fn on(pooler: &PgBouncer, directory: &std::path::Path, subcommand: &str) -> Command {
    let mut command = supercargo();
    command.args(subcommand.split(' ')).arg("--data-dir").arg(directory).args(["--database-url", &pooler.url()]);
    command
}

#[test]
fn a_pooler_that_shares_sessions_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    for pool_mode in ["transaction", "statement"] {
        let pooler = PgBouncer::start(pool_mode);
        let serve = || on(&pooler, directory.path(), "serve").args(["--listen", "127.0.0.1:0"]).output().unwrap();
        for _ in 0..2 {
            let said = failed(serve(), 1);
            assert!(said.contains("is behind a connection pooler") && said.contains("pool_mode = session"), "{said}");
        }
    }
}

#[test]
fn a_pooler_of_sessions_is_used() {
    let (pooler, directory) = (PgBouncer::start("session"), tempfile::tempdir().unwrap());
    let mut serve = on(&pooler, directory.path(), "serve");
    serve.args(["--listen", "127.0.0.1:0", "--publish-wait", "60s", "--log", "warn"]).stdout(Stdio::null());
    let mut child = serve.spawn().unwrap();
    let url = wait_for_url(&mut child, directory.path());
    succeeded(on(&pooler, directory.path(), "admin user create ann").output().unwrap());
    let token = succeeded(on(&pooler, directory.path(), "admin token create --user ann").output().unwrap());
    let token = token.trim();
    for num in ["1.0.0", "1.1.0"] {
        http::publish(&url, token, &Package::new("pooled", num)).good();
    }
    http::delete_as(&format!("{url}/api/v1/crates/pooled/1.0.0/yank"), token).good();
    let lines = http::index_lines(&url, "po/ol/pooled");
    assert_eq!((lines.len(), &lines[0]["yanked"]), (2, &true.into()));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}
