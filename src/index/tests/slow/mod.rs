//! Slow tests, which start many processes or wait for time limits. The inner loop leaves them out.

mod bundling;
mod collecting;
mod crash;
