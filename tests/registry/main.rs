//! The registry as its users meet it. One binary, a file an area; `support` holds what they share.

mod support;

mod api_description;
mod api_reading;
mod cargo_client;
mod crashes;
mod download_counting;
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
mod searching;
mod serving;
mod with_command;
mod yanking;
