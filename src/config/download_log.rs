//! Options of the log of downloads.

use std::time::Duration;

use clap::Args;

use super::durations::duration;

/// With less the log would be empty when it is needed.
const SHORTEST: Duration = Duration::from_secs(3600);
/// A hundred years. A longer one would begin before the first day of the calendar.
const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// The log of downloads.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Access")]
pub struct DownloadLogOptions {
    /// Log who downloads which crate file, and keep that for so long [default: no log]
    ///
    /// Each entry has time, crate, version, user, token, address and user agent. `supercargo upstream exposure` reads them.
    /// All `serve` of a registry need the same value.
    #[arg(long, hide = true, env = "SUPERCARGO_DOWNLOAD_LOG_RETENTION", value_name = "DURATION", value_parser = retention)]
    pub download_log_retention: Option<Duration>,
    /// Also log downloads without a token, by their addresses
    #[arg(long, hide = true, env = "SUPERCARGO_DOWNLOAD_LOG_ANONYMOUS")]
    pub download_log_anonymous: bool,
}

impl DownloadLogOptions {
    /// Refuses options that do not go together.
    pub fn check(&self) -> Result<(), String> {
        if self.download_log_anonymous && self.download_log_retention.is_none() {
            return Err("--download-log-anonymous: there is no log: say how long it is kept, with \
                        --download-log-retention 90days"
                .to_owned());
        }
        Ok(())
    }
}

fn retention(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < SHORTEST => Err("too short: use at least 1h, or leave the option out for no log".to_owned()),
        long if long > LONGEST => Err("too long: use at most 36500days".to_owned()),
        retention => Ok(retention),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_for_an_hour_to_a_hundred_years() {
        assert_eq!(retention("1h"), Ok(SHORTEST));
        assert!(retention("0s").unwrap_err().contains("at least 1h"));
        assert!(retention("36501days").unwrap_err().contains("at most 36500days"));
    }

    #[test]
    fn downloads_without_a_token_are_logged_only_in_a_log() {
        let both = |download_log_retention| DownloadLogOptions { download_log_retention, download_log_anonymous: true };
        assert!(both(None).check().unwrap_err().contains("--download-log-retention"));
        assert_eq!(both(Some(SHORTEST)).check(), Ok(()));
    }
}
