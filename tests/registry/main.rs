//! The registry as its users meet it. One binary, a file an area; `support` holds what they share.

mod support;

mod api_description;
mod api_reading;
mod auditing;
mod caching;
mod cargo_client;
mod coverage;
mod crashes;
mod damage;
mod deleting;
mod download_counting;
mod fixtures;
mod fuzzing;
mod layers;
mod measuring;
mod migrations;
mod operating;
mod options;
mod owning;
mod private;
mod publishing;
mod queue;
mod racing;
mod reading;
mod repeating;
mod requests;
mod rules;
mod searching;
mod serving;
mod tls;
mod tokens;
mod transport;
mod verifying;
mod with_command;
mod yanking;
