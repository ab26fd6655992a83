//! Options of advisories about the crates of upstreams.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::durations::pause;
use super::index::passed_on;
use super::upstream::{CRATES_IO, name};
use crate::advisory::place::Place;

/// Where advisories come from.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Upstreams")]
pub struct AdvisoryOptions {
    /// Source of security advisories: rustsec, the URL of a git repository, or a directory; repeatable
    ///
    /// Advisories are about the crates of the upstream crates-io, or of NAME as in NAME=URL. A repository or directory has the
    /// layout of RustSec's advisory-db, or files in the form of OSV.
    #[arg(long = "advisories", hide = true, env = "SUPERCARGO_ADVISORIES", value_name = "[NAME=]URL|DIR", value_delimiter = ',', value_parser = source)]
    pub advisories: Vec<AdvisorySource>,
    /// How often the sources of advisories are read
    #[arg(long, hide = true, env = "SUPERCARGO_ADVISORIES_REFRESH", value_name = "DURATION", default_value = "1h", value_parser = pause)]
    pub advisories_refresh: Duration,
}

/// The source of the advisories about an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisorySource {
    pub upstream: String,
    pub place: Place,
}

impl AdvisoryOptions {
    /// Refuses two sources for one upstream, and those for upstreams that are not there.
    pub fn check(&self, upstreams: &[&str]) -> Result<(), String> {
        for (place, AdvisorySource { upstream, .. }) in self.advisories.iter().enumerate() {
            if self.advisories[..place].iter().any(|other| other.upstream == *upstream) {
                return Err(format!("--advisories: {upstream} has two sources: give each upstream one"));
            }
            if !upstreams.contains(&&**upstream) {
                return Err(format!("--advisories: there is no upstream {upstream:?}: add it with --upstream"));
            }
        }
        Ok(())
    }

    /// The environment variables that git needs to reach a repository.
    pub fn passed_on() -> Vec<(OsString, OsString)> {
        passed_on()
    }
}

fn source(text: &str) -> Result<AdvisorySource, String> {
    let named = text.split_once('=').and_then(|(given, place)| Some((name(given).ok()?, place)));
    let (upstream, place) = named.unwrap_or_else(|| (CRATES_IO.0.to_owned(), text));
    Ok(AdvisorySource { upstream, place: place.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_about_crates_io_unless_it_names_another_upstream() {
        let read = |text: &str| source(text).map(|of| (of.upstream, of.place.to_string())).unwrap();
        let of = |upstream: &str, place: &str| (upstream.to_owned(), place.to_owned());
        assert_eq!(read("rustsec"), of("crates-io", "https://github.com/RustSec/advisory-db.git"));
        assert_eq!(read("acme=/srv/advisories"), of("acme", "/srv/advisories"));
        assert_eq!(read("https://git.example/?a=b"), of("crates-io", "https://git.example/?a=b"));
        assert!(source("acme=advisories").unwrap_err().contains("absolute path"));
        let options = |texts: &[&str]| AdvisoryOptions {
            advisories: texts.iter().map(|text| source(text).unwrap()).collect(),
            advisories_refresh: Duration::ZERO,
        };
        assert_eq!(options(&["rustsec", "acme=/srv"]).check(&["crates-io", "acme"]), Ok(()));
        assert!(options(&["rustsec", "/srv"]).check(&["crates-io"]).unwrap_err().contains("crates-io has two sources"));
        assert!(options(&["acme=/srv"]).check(&["crates-io"]).unwrap_err().contains("there is no upstream \"acme\""));
    }
}
