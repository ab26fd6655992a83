//! Where errors are reported.

use clap::Args;
use sentry::types::Dsn;

/// What `serve` and `worker` report to Sentry; nothing without an address.
#[derive(Args, Debug, Clone)]
pub struct SentryOptions {
    /// Report errors and panics to Sentry: the DSN of a project
    ///
    /// Reports have the error with its causes, kind and crate of the job, method and route of the request, and the request's
    /// id; no tokens, headers, bodies, queries or addresses of clients.
    #[arg(long, env = "SUPERCARGO_SENTRY_DSN", value_name = "DSN", value_parser = dsn, hide_env_values = true)]
    pub sentry_dsn: Option<String>,
    /// Which environment reports are of
    #[arg(long, env = "SUPERCARGO_SENTRY_ENVIRONMENT", value_name = "NAME", default_value = "production")]
    pub sentry_environment: String,
    /// The share of requests and batches of jobs whose times are reported as well, from 0 to 1
    #[arg(long, env = "SUPERCARGO_SENTRY_TRACES_SAMPLE_RATE", value_name = "SHARE", default_value = "0", value_parser = share)]
    pub sentry_traces_sample_rate: f32,
}

impl SentryOptions {
    /// The address, if reports are wanted. A variable that is set to nothing wants none.
    pub fn dsn(&self) -> Option<Dsn> {
        self.sentry_dsn.as_deref().and_then(|dsn| dsn.parse().ok())
    }
}

fn dsn(text: &str) -> Result<String, String> {
    if text.is_empty() || text.parse::<Dsn>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("it is no DSN: copy it from the project's settings in Sentry under Client Keys, as in https://KEY@sentry.example/42"
        .to_owned())
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it must be a number from 0 to 1, as in 0.05".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_and_a_share_beyond_all_are_refused() {
        assert!(dsn("https://0123@sentry.example/42").is_ok() && dsn("").is_ok());
        for wrong in ["sentry.example", "https://sentry.example/42", "https://key@sentry.example/"] {
            assert!(dsn(wrong).unwrap_err().contains("Client Keys"), "{wrong}");
        }
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("1.5").is_err() && share("-0.1").is_err() && share("NaN").is_err() && share("x").is_err());
    }
}
