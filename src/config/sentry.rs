//! Options of error reports to Sentry.

use clap::Args;
use sentry::types::Dsn;

/// The options of reports to Sentry. Without a DSN nothing is reported.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Monitoring")]
pub struct SentryOptions {
    /// Report errors and panics to Sentry: DSN of a project
    ///
    /// A report contains the error with its causes, the job's kind and crate, and the request's method, route and ID.
    /// It contains no tokens, headers, bodies, queries or client addresses.
    #[arg(long, env = "SUPERCARGO_SENTRY_DSN", value_name = "DSN", value_parser = dsn, hide_env_values = true)]
    pub sentry_dsn: Option<String>,
    /// Name of the environment in reports
    #[arg(long, hide = true, env = "SUPERCARGO_SENTRY_ENVIRONMENT", value_name = "NAME", default_value = "production")]
    pub sentry_environment: String,
    /// Share of requests and job batches whose timings are reported, from 0 to 1
    #[arg(long, hide = true, env = "SUPERCARGO_SENTRY_TRACES_SAMPLE_RATE", value_name = "SHARE", default_value = "0", value_parser = share)]
    pub sentry_traces_sample_rate: f32,
}

impl SentryOptions {
    /// The DSN, if there is one. An empty value turns reports off.
    pub fn dsn(&self) -> Option<Dsn> {
        self.sentry_dsn.as_deref().and_then(|dsn| dsn.parse().ok())
    }
}

fn dsn(text: &str) -> Result<String, String> {
    if text.is_empty() || text.parse::<Dsn>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("not a DSN: copy it from the project's settings in Sentry under Client Keys (https://KEY@sentry.example/42)"
        .to_owned())
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("use a number from 0 to 1, such as 0.05".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_dsn_and_a_share_above_one_are_refused() {
        assert!(dsn("https://0123@sentry.example/42").is_ok() && dsn("").is_ok());
        for wrong in ["sentry.example", "https://sentry.example/42", "https://key@sentry.example/"] {
            assert!(dsn(wrong).unwrap_err().contains("Client Keys"), "{wrong}");
        }
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("1.5").is_err() && share("-0.1").is_err() && share("NaN").is_err() && share("x").is_err());
    }
}
