//! Attacks on a registry, one file a kind. Each test fails without the defence that it is about; all are bounded and stay on
//! the loopback interface. docs/security.md says what is promised against whom.

mod control_characters;
mod crate_paths;
mod frozen_database;
mod git_bodies;
mod git_filters;
mod git_garbage;
mod http_forms;
mod idle_connections;
mod large_crates;
mod late_bodies;
mod local_users;
mod parked_uploads;
mod poisoned_texts;
mod refused_files;
mod slow_readers;
mod token_lineage;
mod tokens_elsewhere;
mod untaken_answers;
