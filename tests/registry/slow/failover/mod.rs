//! A primary of PostgreSQL that dies, and its standby that is promoted, under a registry at work.

mod asynchronous;
mod former_primary;
mod registry;
mod synchronous;
