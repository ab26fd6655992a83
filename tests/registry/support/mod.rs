//! What the tests share.
//!
//! | for | use |
//! |---|---|
//! | requests, jobs and their effects, on one thread and in one transaction that is rolled back | [`harness::TestRegistry`] |
//! | several connections: locks, order, crashes of sessions | [`cluster::Database`] |
//! | processes that are started, killed and started again | [`process::Served`] |
//! | crate files and publish requests | [`package::Package`] |

#![allow(dead_code, reason = "each area uses its part")]

pub mod cluster;
pub mod harness;
pub mod package;
pub mod process;
