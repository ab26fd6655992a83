//! Slow tests, which start many processes or wait for time limits. The inner loop leaves them out.

mod ci;
mod crash_matrix;
mod crashes;
mod database_upgrade;
mod disk_full;
mod failover;
mod import_healing;
mod importing;
mod pooler;
mod reporting;
mod reverse_proxy;
mod several_machines;
mod terminal;
mod verifying;
mod webhooks;
mod with_command;
