//! Slow tests, which start many processes or wait for time limits. The inner loop leaves them out.

mod collecting;
mod crash;
