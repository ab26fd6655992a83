//! What follows from a seed. The same seed does the same things; when they meet is up to the machine.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

pub const CLIENTS: u64 = 8;

/// How a registry is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One process with its own PostgreSQL.
    Private,
    /// `serve --no-worker`, two workers, and a PostgreSQL behind a network.
    Apart,
    /// The same, where PostgreSQL has a synchronous standby and no network in between.
    Standby,
    /// The same as `Apart` on machines of their own, that is, with data directories of their own; the index is at a remote.
    Machines,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub shape: Shape,
    /// How long the registry is disturbed.
    pub time: Duration,
    pub publish_wait: &'static str,
}

impl Plan {
    pub fn of_seed(seed: u64, time: Duration) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let shape = match seed % 4 {
            0 => Shape::Private,
            1 | 2 => Shape::Machines,
            _ if seed % 8 == 3 => Shape::Standby,
            _ => Shape::Apart,
        };
        let publish_wait = ["0s", "50ms", "1s"][chance.random_range(0..3)];
        Self { seed, shape, time, publish_wait }
    }

    /// Chance for one of the threads that make the run.
    pub fn chance(&self, thread: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(1000).wrapping_add(thread))
    }
}
