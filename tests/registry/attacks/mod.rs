//! Attacks on a registry, one file a kind. Each test fails without the defence that it is about; all are bounded and stay on
//! the loopback interface. docs/security.md says what is promised against whom.

mod control_characters;
mod crate_paths;
mod git_filters;
mod git_garbage;
mod http_forms;
mod idle_connections;
mod large_crates;
mod parked_uploads;
mod poisoned_texts;
mod refused_files;
mod slow;
mod token_lineage;
mod tokens_elsewhere;
mod untaken_answers;
