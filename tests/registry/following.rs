//! Streams of events of a registry that runs in processes of its own: other workers, few connections, shutdown.

use nix::sys::signal::Signal;

use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;
use crate::support::server_sent::SentEvents;

const EVENTS: &str = "/crates/foo/1.0.0/status/events";

fn publish(served: &Served, token: &str, name: &str) {
    http::publish(&served.url, token, &Package::new(name, "1.0.0")).good();
}

fn progress(served: &Served, name: &str) -> String {
    let status = http::get(&format!("{}/api/v1/crates/{name}/1.0.0/status", served.url)).good().json();
    status["status"]["progress"].as_str().unwrap().to_owned()
}

/// Tests that start several processes or take seconds. The inner loop leaves them out.
mod slow {
    use super::*;

    #[test]
    fn the_end_arrives_from_a_worker_of_another_process() {
        let mut served = Served::start(&["--no-worker", "--publish-wait", "0s"]);
        let token = served.token("ann");
        publish(&served, &token, "foo");
        let mut events = SentEvents::open(&served.address(), EVENTS);
        assert_eq!(events.status, 200, "{}", events.head);
        assert_eq!(events.next().unwrap().name, "status");
        served.start_worker();
        let last = std::iter::from_fn(|| events.next()).last().unwrap();
        assert!(last.name == "end" && last.data.contains("<strong>Published.</strong>"), "{last:?}");
        served.stop();
    }

    /// Every stream reads when it begins, and then waits.
    #[test]
    fn open_streams_hold_no_connection_and_no_thread_of_requests() {
        let mut served = Served::start(&[
            "--no-worker",
            "--publish-wait",
            "0s",
            "--database-pool-size",
            "2",
            "--max-connections-per-address",
            "1000",
        ]);
        let token = served.token("ann");
        publish(&served, &token, "foo");
        let mut open: Vec<_> = (0..24).map(|_| SentEvents::open(&served.address(), EVENTS)).collect();
        for events in &mut open {
            assert_eq!((events.status, events.next().unwrap().name.as_str()), (200, "status"));
        }
        publish(&served, &token, "bar");
        assert_eq!(progress(&served, "bar"), "queued");
        served.start_worker();
        for mut events in open {
            assert_eq!(std::iter::from_fn(|| events.next()).last().unwrap().name, "end");
        }
        served.stop();
    }

    /// A request that is still in progress at the end of the grace period would be in the log.
    #[test]
    fn a_shutdown_ends_open_streams_at_once() {
        let grace = ["--no-worker", "--publish-wait", "0s", "--shutdown-grace", "20s"];
        let mut served = Served::start_with_log("warn", &grace);
        let token = served.token("ann");
        publish(&served, &token, "foo");
        let mut events = SentEvents::open(&served.address(), EVENTS);
        assert_eq!(events.next().unwrap().name, "status");
        served.signal(Signal::SIGTERM);
        assert!(!events.rest().contains("event: end"), "nothing has ended but the stream");
        served.wait();
        assert!(!served.log().contains("some requests did not finish"), "{}", served.log());
    }

    #[test]
    fn a_running_job_is_shown_as_such() {
        let served = Served::start_with_fail_points("warn", &["--publish-wait", "0s"]);
        let token = served.token("ann");
        served.arm("job.head_read=stall(1h)");
        publish(&served, &token, "foo");
        served.wait_until_passed();
        assert_eq!(progress(&served, "foo"), "running");
        let page = http::get_page(&format!("{}/crates/foo/1.0.0/status", served.url)).good().text();
        assert!(
            page.contains("<strong>Being written.</strong>") && page.contains("the index is being written now"),
            "{page}"
        );
    }
}
