//! What a registry does while more is asked of it than it can do: too many pending jobs, too many readers.

use std::io::{Read, Write};
use std::net::TcpStream;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use serde_json::json;
use supercargo::queue::inspection;

use crate::support::event::{wait_for, wait_until};
use crate::support::http::{self, Reply};
use crate::support::package::Package;
use crate::support::process::Served;

#[test]
fn above_the_bound_of_pending_jobs_publishes_and_yanks_are_refused_before_their_bodies_are_read() {
    let mut served = Served::start(&["--no-worker", "--publish-wait", "0s", "--max-pending-jobs", "3"]);
    let token = served.token("ann");
    let publish = |number: u32| http::publish(&served.url, &token, &Package::new("foo", &format!("{number}.0.0")));
    // The jobs are counted in the background, so that a few more may be accepted.
    let mut number = 0;
    let refused: Reply = wait_for("a refusal", || {
        number += 1;
        Some(publish(number)).filter(|reply| reply.status != 200)
    });
    assert!(number > 3, "{number}");
    let assert_refused = |reply: &Reply| {
        assert_eq!((reply.status, reply.retry_after), (503, Some(10)), "{}", reply.text());
        let detail = reply.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        insta::allow_duplicates! {
            insta::assert_snapshot!(detail, @"the registry has 3 or more changes that wait to be written to the index, and accepts no more until some of them are done; nothing was changed: try again shortly");
        }
    };
    assert_refused(&refused);
    let version = format!("{}/api/v1/crates/foo/1.0.0", served.url);
    assert_refused(&http::delete_as(&format!("{version}/yank"), &token));
    assert_refused(&http::put_as(&format!("{version}/unyank"), &token));
    // A body that never comes.
    let status_without_body = || {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        let head = format!(
            "PUT /api/v1/crates/new HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\ncontent-length: 100000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    wait_until("a refusal without a body", || status_without_body() == "HTTP/1.1 503");
    // Nothing was changed, and reads go on.
    assert_eq!(http::get(&version).status, 200);
    assert_eq!(http::get(&format!("{}/api/v1/crates/foo/{number}.0.0", served.url)).status, 404);
    let metrics = http::get(&format!("{}/metrics", served.url)).text();
    assert!(metrics.contains("supercargo_http_limited_total{limit=\"backlog\"}"), "{metrics}");
    assert!(metrics.contains("supercargo_publish_refusals_total{reason=\"backlog\"}"), "{metrics}");
    // Accepted again when jobs are done.
    served.start_worker();
    let mut connection = served.database.connect();
    wait_until("no job to be pending", || inspection::count(&mut connection).unwrap() == (0, 0));
    let status = |number| http::publish(&served.url, &token, &Package::new("foo", &format!("{number}.0.0"))).status;
    wait_until("a publish to be accepted", || status(number) == 200);
    served.stop();
}

/// All of them hang, because somebody holds a lock on what they read.
#[test]
fn readers_leave_connections_to_those_who_change_something() {
    let mut served = Served::start(&["--database-pool-size", "4"]);
    let token = served.token("ann");
    let (mut locking, mut watching) = (served.database.connect(), served.database.connect());
    locking.batch_execute("BEGIN; LOCK TABLE crates IN ACCESS EXCLUSIVE MODE").unwrap();
    let reading = |connection: &mut PgConnection| {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let waiting = "SELECT count(*) AS count FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'supercargo web' AND wait_event_type = 'Lock'";
        sql_query(waiting).get_result::<Count>(connection).unwrap().count
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..12)
            .map(|number| {
                let url = format!("{}/api/v1/crates/crate-{number}", served.url);
                scope.spawn(move || http::get(&url).status)
            })
            .collect();
        wait_until("the readers to hang", || reading(&mut watching) == 3);
        for number in 0..8 {
            let made = json!({"api_token": {"name": format!("token {number}")}});
            http::put_json_as(&format!("{}/api/v1/me/tokens", served.url), &token, &made).good();
        }
        assert_eq!(reading(&mut watching), 3);
        locking.batch_execute("ROLLBACK").unwrap();
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() == 404));
    });
    served.stop();
}
