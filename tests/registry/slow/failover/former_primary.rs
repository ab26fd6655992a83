//! A former primary that comes back as it was, so that two servers can be written.

use super::registry::Registry;
use crate::support::event::wait_until;
use crate::support::http;
use crate::support::package::Package;
use crate::support::process::failed;
use crate::support::standby::{Pair, Replication};

fn count_of(pair: &Pair, version: &str) -> usize {
    [&pair.primary, &pair.standby].iter().filter(|server| has_version(&server.url(), version)).count()
}

fn has_version(url: &str, version: &str) -> bool {
    use diesel::prelude::*;
    let mut connection = diesel::PgConnection::establish(url).unwrap();
    let found = diesel::sql_query(format!("SELECT num FROM versions WHERE num = '{version}'")).execute(&mut connection);
    found.unwrap() > 0
}

/// The sessions of the registry with this name.
fn sessions(url: &str, name: &str) -> usize {
    use diesel::prelude::*;
    let mut connection = diesel::PgConnection::establish(url).unwrap();
    let found = diesel::sql_query(format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{name}'"));
    found.execute(&mut connection).unwrap()
}

#[test]
fn it_is_not_used_although_it_is_the_first_in_the_url() {
    let pair = Pair::start(Replication::Asynchronous);
    let mut registry = Registry::start(&pair, &["--publish-wait", "60s"]);
    let token = registry.token("ann");
    http::publish(&registry.url, &token, &Package::new("foo", "1.0.0")).good();
    pair.cut_off_the_standby();
    pair.primary.kill();
    pair.promote();
    wait_until("the promoted standby to be used", || {
        http::publish(&registry.url, &token, &Package::new("foo", "1.1.0")).status == 200
    });
    pair.primary.start();
    // Every session is opened again.
    pair.standby.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'registry'");
    wait_until("the promoted standby to be used", || {
        http::publish(&registry.url, &token, &Package::new("foo", "1.2.0")).status == 200
    });
    registry.kill();
    registry.serve(&["--publish-wait", "60s"]);
    http::publish(&registry.url, &token, &Package::new("foo", "1.3.0")).good();
    assert_eq!(http::index_lines(&registry.url, "3/f/foo").len(), 4);
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        assert_eq!((count_of(&pair, version), has_version(&pair.primary.url(), version)), (1, false), "{version}");
    }
    // The listeners of both processes, and the descriptions of the worker, use the new one too.
    registry.kill();
    registry.serve(&["--no-worker", "--publish-wait", "60s"]);
    registry.start_worker();
    let (former, promoted) = (pair.primary.url(), pair.standby.url());
    wait_until("both listeners on the promoted standby", || {
        sessions(&promoted, "supercargo listener") == 2 && sessions(&former, "supercargo listener") == 0
    });
    http::publish(&registry.url, &token, &Package::new("foo", "1.4.0")).good();
    wait_until("the descriptions on the promoted standby", || sessions(&promoted, "supercargo descriptions") == 1);
    assert_eq!(sessions(&former, "supercargo descriptions"), 0);
    assert_eq!((count_of(&pair, "1.4.0"), has_version(&former, "1.4.0")), (1, false));
    // With nothing but the former primary, a sentence says what is wrong.
    registry.kill();
    let alone = registry.command("serve").args(["--database-url", &pair.primary.url()]).output().unwrap();
    let refused = failed(alone, 1);
    assert!(refused.contains("(timeline 1) is a former primary: this registry has used 127.0.0.1:"), "{refused}");
}

#[test]
fn a_primary_that_becomes_read_only_is_left_at_the_first_refused_write() {
    let pair = Pair::start(Replication::Asynchronous);
    let registry = Registry::start(&pair, &["--publish-wait", "60s", "--database-pool-size", "4"]);
    let token = registry.token("ann");
    http::publish(&registry.url, &token, &Package::new("foo", "1.0.0")).good();
    let ready = || http::get(&format!("{}/health/ready", registry.url)).status;
    wait_until("readiness", || ready() == 200);
    pair.primary.run("ALTER SYSTEM SET default_transaction_read_only = on");
    pair.primary.run("SELECT pg_reload_conf()");
    let (mut refused, mut number) = (None, 0);
    wait_until("a refused write", || {
        number += 1;
        let answer = http::publish(&registry.url, &token, &Package::new("foo", &format!("2.{number}.0")));
        refused = Some(answer).filter(|answer| answer.status == 503);
        refused.is_some()
    });
    assert_eq!(refused.unwrap().header("retry-after"), "2");
    // No session is left, and none is opened on a server that cannot be written.
    wait_until("the log", || {
        registry.log().contains("the database has become read-only: the connections to the database are opened again")
    });
    wait_until("the end of readiness", || ready() == 503);
    assert!(registry.log().contains("failed: session is read-only"), "{}", registry.log());
    pair.standby.run("ALTER SYSTEM SET primary_conninfo = ''");
    pair.promote();
    wait_until("the promoted standby to be used", || {
        http::publish(&registry.url, &token, &Package::new("foo", "3.0.0")).status == 200
    });
    assert!(has_version(&pair.standby.url(), "3.0.0"));
}
