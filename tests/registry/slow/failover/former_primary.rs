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
    // With nothing but the former primary, a sentence says what is wrong.
    registry.kill();
    let alone = registry.command("serve").args(["--database-url", &pair.primary.url()]).output().unwrap();
    let refused = failed(alone, 1);
    assert!(refused.contains("(timeline 1) is a former primary: this registry has used 127.0.0.1:"), "{refused}");
}
