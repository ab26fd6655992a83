//! What goes wrong while clients work.

use std::fs;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use nix::sys::signal::Signal;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::plan::Plan;
use crate::tally::Tally;
use crate::world::World;

/// The thread number of the disturber among those that draw from a seed.
const THREAD: u64 = 999;
/// The pauses between two blows, in milliseconds.
const PAUSES: std::ops::Range<u64> = 50..900;

const POINTS: [&str; 21] = [
    "request.read",
    "request.file_stored",
    "request.before_commit",
    "request.committed",
    "request.answered",
    "queue.touched",
    "queue.held",
    "job.head_read",
    "job.desired_read",
    "index.blob",
    "index.tree",
    "index.commit",
    "index.pack",
    "index.ref",
    "index.before_push",
    "index.pushed",
    "job.remote_written",
    "job.crates_locked",
    "job.effective_noted",
    "queue.recorded",
    "queue.committed",
];

/// Strikes until the plan's time is over.
pub fn disturb(plan: &Plan, world: &World) -> Tally {
    let mut chance = plan.chance(THREAD);
    let mut tally = Tally::default();
    let until = Instant::now() + plan.time;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(chance.random_range(PAUSES)));
        strike(&mut chance, world, &mut tally);
        world.revive();
    }
    world.make_good();
    tally.restarts = world.restarts();
    tally
}

fn strike(chance: &mut StdRng, world: &World, tally: &mut Tally) {
    let worker = (world.workers() > 0).then(|| chance.random_range(0..world.workers()));
    match (chance.random_range(0..100), worker) {
        (0..16, _) => {
            world.signal_serve(Signal::SIGKILL);
            tally.struck("serve killed");
        }
        (16..22, _) => {
            world.signal_serve(Signal::SIGTERM);
            tally.struck("serve told to stop");
        }
        (22..38, Some(place)) => {
            world.signal_worker(place, Signal::SIGKILL);
            tally.struck("worker killed");
        }
        (38..46, Some(place)) => {
            stop_for_a_while(chance, world, place);
            tally.struck("worker stopped for seconds");
        }
        (46..50, _) if world.kill_postgres() => tally.struck("PostgreSQL killed"),
        (46..50 | 60..74, _) if world.fail_over() => tally.struck("primary killed and standby promoted"),
        (50..60, _) if end_sessions(world) => tally.struck("sessions ended"),
        (60..70, _) => {
            if let Some(proxy) = &world.proxy {
                proxy.cut();
                tally.struck("connections cut");
            }
        }
        (70..74, _) => {
            if let Some(proxy) = &world.proxy {
                proxy.stall();
                std::thread::sleep(Duration::from_millis(chance.random_range(100..1500)));
                proxy.recover();
                proxy.cut();
                tally.struck("network silent");
            }
        }
        (74..84, _) if world.remote().is_some() => disturb_remote(chance, world, tally),
        _ => arm(chance, world, tally),
    }
}

fn disturb_remote(chance: &mut StdRng, world: &World, tally: &mut Tally) {
    let pause = Duration::from_millis(chance.random_range(100..3000));
    match chance.random_range(0..3) {
        0 => {
            world.refuse_pushes();
            std::thread::sleep(pause);
            world.admit_pushes();
            tally.struck("remote refused");
        }
        1 => {
            world.take_remote_away();
            std::thread::sleep(pause);
            world.bring_remote_back();
            tally.struck("remote away");
        }
        _ => {
            if world.push_something_else() {
                tally.struck("remote moved");
            }
        }
    }
}

fn stop_for_a_while(chance: &mut StdRng, world: &World, place: usize) {
    world.signal_worker(place, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(chance.random_range(200..6000)));
    world.signal_worker(place, Signal::SIGCONT);
}

fn end_sessions(world: &World) -> bool {
    let connection = world.database_url().and_then(|url| PgConnection::establish(&url).ok());
    let Some(mut connection) = connection else { return false };
    let ended = connection.batch_execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    ended.is_ok()
}

fn arm(chance: &mut StdRng, world: &World, tally: &mut Tally) {
    let point = POINTS[chance.random_range(0..POINTS.len())];
    let (action, blow) = match chance.random_range(0..3) {
        0 => ("abort".to_owned(), "died at a point"),
        1 => ("error".to_owned(), "failed at a point"),
        _ => (format!("stall({}ms)", chance.random_range(50..7000)), "stalled at a point"),
    };
    let unfinished = world.fail_point().with_extension("new");
    fs::write(&unfinished, format!("{point}={action}")).unwrap();
    fs::rename(unfinished, world.fail_point()).unwrap();
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        if !world.fail_point().exists() {
            tally.struck(blow);
            return;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let _ = fs::remove_file(world.fail_point());
}
