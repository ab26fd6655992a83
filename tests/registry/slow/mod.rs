//! Slow tests, which start many processes or wait for time limits. The inner loop leaves them out.

mod crash_matrix;
mod crashes;
mod import_healing;
mod importing;
mod reporting;
mod several_machines;
mod verifying;
mod with_command;
