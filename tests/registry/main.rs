//! The registry as its users meet it. One binary, a file an area; `support` holds what they share.

mod support;

mod caching;
mod cargo_client;
mod coverage;
mod crashes;
mod fixtures;
mod layers;
mod measuring;
mod migrations;
mod operating;
mod options;
mod publishing;
mod queue;
mod racing;
mod reading;
mod repeating;
mod requests;
mod serving;
mod tls;
mod transport;
mod with_command;
mod yanking;
