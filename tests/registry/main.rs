//! The registry as its users meet it. One binary, a file an area; `support` holds what they share.

mod support;

mod cargo_client;
mod crashes;
mod fixtures;
mod fuzzing;
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
mod rules;
mod serving;
mod with_command;
mod yanking;
