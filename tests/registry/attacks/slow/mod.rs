//! Slow tests, which start many processes or wait for time limits. The inner loop leaves them out.

mod frozen_database;
mod git_bodies;
mod late_bodies;
mod local_users;
mod slow_readers;
