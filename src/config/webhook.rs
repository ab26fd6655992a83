//! Subcommands of `webhook`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::StorageOptions;
use super::durations::duration;
use super::output::OutputOptions;

#[derive(Subcommand, Debug)]
pub enum WebhookCommand {
    /// Add a webhook, print its secret, and send it a test
    ///
    /// Events are sent as JSON by POST, signed as Standard Webhooks 1.0.0 says. A webhook gets them in the order in which they
    /// happened, each until it answers with a status from 200 to 299; docs/webhooks.md has the details.
    Add(NewWebhookOptions),
    /// List webhooks, and how they are doing
    List {
        /// Only those of this crate
        #[arg(long = "crate", value_name = "CRATE")]
        krate: Option<String>,
        /// Only those of this team
        #[arg(long, value_name = "TEAM", conflicts_with = "krate")]
        team: Option<String>,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Show a webhook and its last deliveries
    Show {
        /// Number of the webhook
        id: i32,
        /// How many deliveries to show
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=1000))]
        limit: u32,
        #[command(flatten)]
        output: OutputOptions,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Change where a webhook is, or what it receives
    Update(WebhookUpdateOptions),
    /// Make no deliveries until `resume`; events wait
    Pause {
        /// Number of the webhook
        id: i32,
        /// Why, for those who see it paused
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Deliver what waits, in its order; without a pause, make the next attempt now
    Resume {
        /// Number of the webhook
        id: i32,
        /// Drop what waits instead
        #[arg(long)]
        drop: bool,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Send a test behind what waits
    Test {
        /// Number of the webhook
        id: i32,
        /// How long to wait for its delivery; 0s to return at once
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
        wait: Duration,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Deliver an event again, behind what waits
    Redeliver {
        /// Number of the webhook
        id: i32,
        /// Number of the delivery, as `show` has it
        delivery: i64,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Print another secret; the one before signs as well for a while
    Rotate {
        /// Number of the webhook
        id: i32,
        /// How long the previous secret signs as well, up to 30 days
        #[arg(long, value_name = "DURATION", default_value = "1day", value_parser = duration)]
        overlap: Duration,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// Remove a webhook, with what waits for it
    Remove {
        /// Number of the webhook
        id: i32,
        #[command(flatten)]
        storage: StorageOptions,
    },
    /// List the types of events
    Events {
        #[command(flatten)]
        output: OutputOptions,
    },
}

/// The options of `webhook add`.
#[derive(Args, Debug, Clone)]
pub struct NewWebhookOptions {
    /// Where to send events
    pub url: String,
    /// Only events of this crate [default: everything]
    #[arg(long = "crate", value_name = "CRATE")]
    pub krate: Option<String>,
    /// Only events of this team: of its crates, and of its members
    #[arg(long, value_name = "TEAM", conflicts_with = "krate")]
    pub team: Option<String>,
    /// Types of events, such as version.published, or groups, such as version.*, separated by commas
    #[arg(long, value_name = "TYPE", value_delimiter = ',', default_value = "*")]
    pub events: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    #[command(flatten)]
    pub storage: StorageOptions,
}

/// The options of `webhook update`.
#[derive(Args, Debug, Clone)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["url", "events", "description"])))]
pub struct WebhookUpdateOptions {
    /// Number of the webhook
    pub id: i32,
    /// Another URL
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The types of events instead of the present ones, separated by commas
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub events: Option<Vec<String>>,
    /// What it is for; an empty text removes it
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    #[command(flatten)]
    pub storage: StorageOptions,
}
