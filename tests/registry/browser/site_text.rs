//! What the crates of the site say.

/// Name, description, keyword and category.
pub const SMALL: [(&str, &str, &str, &str); 24] = [
    ("anchor-log", "Structured logs that survive a crash", "logging", "development-tools"),
    ("audit-trail", "Who changed what, and when", "audit", "development-tools"),
    ("beacon", "Health checks and readiness for services", "health", "network-programming"),
    ("bulkhead", "Limits how much of a service one client can use", "limits", "asynchronous"),
    ("capstan", "Deploys a service, and takes it back", "deploy", "command-line-utilities"),
    ("chart-colors", "Colours for plots that everybody can tell apart", "colors", "visualization"),
    ("cron-lines", "Parses crontab expressions", "parser", "parsing"),
    ("csv-ledger", "Reads ledgers of accounts from CSV", "csv", "parsing"),
    ("deckhand", "Small helpers for command-line programs", "cli", "command-line-interface"),
    ("drydock", "Test fixtures: databases, queues and clocks", "testing", "development-tools::testing"),
    ("fathom", "Measures latency without a lock", "metrics", "development-tools"),
    ("flagship", "Feature flags from a file or a service", "config", "config"),
    ("foghorn", "Alerts by mail and chat", "alerts", "network-programming"),
    ("galley", "Renders templates for mail", "template", "template-engine"),
    ("keelson", "Types that the other crates share", "types", "data-structures"),
    ("lighthouse", "Finds services by name", "dns", "network-programming"),
    ("manifest-check", "Checks manifests against the rules of the team", "lint", "development-tools"),
    ("money", "Amounts of money that do not lose a cent", "money", "mathematics"),
    ("outrigger", "Runs jobs from a queue in PostgreSQL", "queue", "database"),
    ("pilot", "Routes requests between versions of a service", "http", "network-programming"),
    ("rigging", "Wires the parts of a service together", "framework", "development-tools"),
    ("sextant", "Positions on earth, and the distance between them", "geo", "science"),
    ("sounding", "Fuzz inputs for parsers", "fuzzing", "development-tools::testing"),
    ("stowage", "Packs files into archives, the same bytes each time", "archive", "compression"),
];

pub const README: &str = r#"# harbor

[![version](https://badges.example/harbor.svg)](https://crates.example/harbor)
![coverage](https://badges.example/coverage.svg)

![The sign of harbor](assets/harbor.svg)

An HTTP client for services that have to answer: it **retries** what may be retried, gives up in time, and keeps
connections to where it is going.

## Usage

```rust
use harbor::{Client, Retry};
use std::time::Duration;

# fn main() -> Result<(), harbor::Error> {
let client = Client::builder()
    .timeout(Duration::from_secs(2))
    .retry(Retry::idempotent(3))
    .build()?;
let answer = client.get("https://inventory.internal/items/17").send()?;
assert_eq!(answer.status(), 200);
# Ok(())
# }
```

## What is retried

| method | retried | why |
|--------|:-------:|-----|
| `GET`, `HEAD` | yes | they change nothing |
| `PUT`, `DELETE` | yes | twice is as good as once |
| `POST` | with a key | only if the server remembers `Idempotency-Key`[^key] |

- [x] Connections are pooled for each host
- [x] Certificates of the company's own authority
- [ ] HTTP/3

> A request that is not answered in time is an error of the caller's, not a reason to wait longer.

See [the client](src/client.rs) and [the pool](src/pool/mod.rs) for how it works, and
[the service's page](https://harbor.example) for who runs it.

[^key]: A draft of the IETF, which many services follow.
"#;

pub const LIB: &str = r#"//! An HTTP client with retries.

pub mod client;
pub mod pool;

pub use client::{Client, Retry};

/// What can go wrong.
#[derive(Debug)]
pub enum Error {
    /// Nothing came in time.
    TimedOut,
    /// The other side closed the connection.
    Closed { after: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_counted() {
        assert_eq!(Retry::idempotent(3).left(), 3);
    }
}
"#;

pub const CLIENT: &str = r#"use std::time::Duration;

/// How often a request is sent again.
#[derive(Clone, Copy)]
pub struct Retry {
    left: u32,
}

impl Retry {
    pub fn idempotent(times: u32) -> Self {
        Self { left: times }
    }

    pub fn left(&self) -> u32 {
        self.left
    }
}

/// Sends requests.
pub struct Client {
    retry: Retry,
    timeout: Duration,
}

impl Client {
    /// Whether a status may be answered by sending the request again.
    pub fn may_retry(&self, status: u16) -> bool {
        self.retry.left > 0 && status >= 500
    }

    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}
"#;

/// What later versions change in the client, for a difference to show.
const CLIENT_CHANGES: [(&str, &str); 6] = [
    ("use std::time::Duration;\n", "use std::time::Duration;\n\nuse tracing::debug;\n"),
    ("#[derive(Clone, Copy)]", "#[derive(Clone, Copy, Debug)]"),
    ("pub fn idempotent", "pub const fn idempotent"),
    ("    timeout: Duration,\n}", "    timeout: Duration,\n    compression: bool,\n}"),
    (
        "        self.retry.left > 0 && status >= 500\n",
        r#"        let may = self.retry.left > 0 && (status >= 500 || status == 429);
        debug!(status, may, "asked whether to retry, after an answer that a proxy between the client and the service may have sent");
        may
"#,
    ),
    (
        "        self.timeout\n    }\n",
        r#"        self.timeout
    }

    fn first_byte(buffer: &[u8]) -> u8 {
        // SAFETY: the caller has read at least one byte.
        unsafe { *buffer.get_unchecked(0) }
    }
"#,
    ),
];

/// The client of later versions.
pub fn changed_client() -> String {
    CLIENT_CHANGES.iter().fold(CLIENT.to_owned(), |text, (before, after)| {
        assert_eq!(text.matches(before).count(), 1, "{before}");
        text.replace(before, after)
    })
}

pub const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 64 64">
<path fill="#1d5fa8" d="M32 4a8 8 0 0 1 4 15v5h12v6H36v22c9-1 15-7 16-16h6c-1 14-12 23-26 23S7 50 6 36h6c1 9 7 15 16 16V30H16v-6h12v-5a8 8 0 0 1 4-15z"/>
</svg>
"##;
