//! Options of upstreams: other registries that are reached through this one.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::durations::{duration, pause};
use super::{CrateStoreOptions, CrateStorePlace, StorageOptions};
use crate::advisory::policy::{Actions, At};
use crate::package::crate_pattern::{CratePattern, InvalidPattern};

/// The index of the upstream that needs no URL.
pub(super) const CRATES_IO: (&str, &str) = ("crates-io", "https://index.crates.io/");

/// A hundred years. A longer one would end after the last day of the calendar.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// Other registries that are served through this one.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Upstreams")]
pub struct UpstreamOptions {
    /// Other registry to serve through this one: crates-io, or NAME=sparse+URL; repeatable
    ///
    /// Its index is at /upstream/NAME/index/, for cargo's source replacement. Index and crate files are requested when they are
    /// needed, checked, and kept.
    #[arg(long = "upstream", hide = true, env = "SUPERCARGO_UPSTREAM", value_name = "NAME=URL", value_delimiter = ',', value_parser = upstream)]
    pub upstreams: Vec<NamedUpstream>,
    /// File with the token of a private upstream, as NAME=FILE; repeatable
    #[arg(long = "upstream-token-file", hide = true, env = "SUPERCARGO_UPSTREAM_TOKEN_FILE", value_name = "NAME=FILE", value_delimiter = ',', value_parser = token_file)]
    pub upstream_token_files: Vec<UpstreamTokenFile>,
    /// Contact in requests to upstreams, such as a URL or an address [default: the public URL]
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_CONTACT", value_name = "TEXT", value_parser = contact)]
    pub upstream_contact: Option<String>,
    /// How long an index file of an upstream is served without asking whether it has changed
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_FRESH", value_name = "DURATION", default_value = "60s", value_parser = pause)]
    pub upstream_fresh: Duration,
    /// How long an index file is served while its upstream does not answer
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_STALE", value_name = "DURATION", default_value = "7days", value_parser = duration)]
    pub upstream_stale: Duration,
    /// How long an upstream may not answer before the monitor reports it
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_AWAY", value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub upstream_away: Duration,
    /// Do not ask upstreams: serve what is kept of them
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_OFFLINE")]
    pub upstream_offline: bool,
    /// Size of the kept crate files of all upstreams, in bytes; those not used for longest are removed
    #[arg(
        long,
        hide = true,
        env = "SUPERCARGO_UPSTREAM_CACHE_SIZE",
        value_name = "BYTES",
        default_value_t = 10_737_418_240
    )]
    pub upstream_cache_size: u64,
    /// Where index files of upstreams are kept
    ///
    /// In the database all machines have them in common, and one of them asks the upstream for a file. Without this option they are
    /// there if crate files are in a bucket and --database-url is set, and otherwise in the data directory.
    #[arg(long, hide = true, env = "SUPERCARGO_UPSTREAM_INDEX_IN", value_enum)]
    pub upstream_index_in: Option<UpstreamIndexIn>,
    /// Age below which versions of upstreams are not chosen, such as 3days; repeatable
    ///
    /// NAME=3days is that of one upstream, and NAME/aws-*=1day that of its crates with such names. The index shows a younger
    /// version as yanked, so that cargo chooses another one, and its crate file is refused unless it was served here before.
    #[arg(long = "cooldown", hide = true, env = "SUPERCARGO_COOLDOWN", value_name = "[NAME[/CRATE]=]DURATION", value_delimiter = ',', value_parser = cooldown)]
    pub cooldowns: Vec<Cooldown>,
    /// Refuse versions below that age, and those on hold, even if they were served here before
    #[arg(long, hide = true, env = "SUPERCARGO_COOLDOWN_STRICT")]
    pub cooldown_strict: bool,
    /// What becomes of versions that an advisory affects, such as critical=refuse,high=hide; repeatable
    ///
    /// Severities are unrated, low, medium, high and critical; one without an action has that of the next lower one. `warn`, the default, says it on pages and in the API; `hide` shows the
    /// version as yanked, so that cargo chooses another one; `refuse` also refuses its crate file.
    #[arg(long = "advisory-policy", hide = true, env = "SUPERCARGO_ADVISORY_POLICY", value_name = "SEVERITY=ACTION", value_delimiter = ',', value_parser = At::from_str)]
    pub advisory_policy: Vec<At>,
}

/// Where index files of upstreams are kept.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamIndexIn {
    /// In PostgreSQL, for all machines.
    Database,
    /// In the data directory of each machine.
    Directory,
}

/// An upstream, and the URL of its sparse index with a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUpstream {
    pub name: String,
    pub index: String,
}

/// The file with the token of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTokenFile {
    pub name: String,
    pub file: PathBuf,
}

/// The age at which versions are shown, of some crates of an upstream, of one upstream, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    pub upstream: Option<String>,
    pub crates: Option<CratePattern>,
    pub age: Duration,
}

impl UpstreamOptions {
    /// Refuses names that are given twice, and options of upstreams that are not there.
    pub fn check(&self) -> Result<(), String> {
        let names = self.names();
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(format!("--upstream: {name} is given twice: give each upstream one name"));
            }
        }
        let tokens = self.upstream_token_files.iter().map(|one| ("--upstream-token-file", Some(&one.name)));
        let cooldowns = self.cooldowns.iter().map(|one| ("--cooldown", one.upstream.as_ref()));
        for (option, name) in tokens.chain(cooldowns) {
            if let Some(name) = name.filter(|name| !names.contains(&&***name)) {
                return Err(format!("{option}: there is no upstream {name:?}: add it with --upstream"));
            }
        }
        if self.cooldown_strict && self.cooldowns.is_empty() {
            return Err("--cooldown-strict: there is no cooldown: give one with --cooldown, such as 3days".to_owned());
        }
        if !self.advisory_policy.is_empty() && names.is_empty() {
            return Err(
                "--advisory-policy: there is no upstream: add one with --upstream, such as crates-io".to_owned()
            );
        }
        if !self.cooldowns.is_empty() && names.is_empty() {
            return Err("--cooldown: there is no upstream: add one with --upstream, such as crates-io".to_owned());
        }
        Ok(())
    }

    /// Whether machines have index files in common. Several machines need a bucket and a database of their own.
    pub fn shares_index_files(&self, crate_store: &CrateStoreOptions, storage: &StorageOptions) -> bool {
        match self.upstream_index_in {
            Some(place) => place == UpstreamIndexIn::Database,
            None => {
                let is_bucket = matches!(crate_store.crate_store, Some(CrateStorePlace::Bucket { .. }));
                is_bucket && storage.database_url().is_some()
            }
        }
    }

    /// The names of all.
    pub fn names(&self) -> Vec<&str> {
        self.upstreams.iter().map(|one| &*one.name).collect()
    }

    /// What becomes of versions that an advisory affects. Of several actions for a severity the last one counts; one without an
    /// action has that of the next lower one.
    pub fn advisory_actions(&self) -> Actions {
        Actions::of_policy(&self.advisory_policy)
    }

    /// The options by which versions of an upstream are judged, without what changes nothing.
    pub fn policy_of(&self, name: &str) -> String {
        let mut parts = Vec::new();
        let age = |age: Duration| humantime::format_duration(age).to_string().replace(' ', "");
        parts.extend(self.cooldown_of(name).map(|of_all| format!("--cooldown {name}={}", age(of_all))));
        let of_crates = self.cooldowns_of_crates(name).into_iter();
        parts.extend(of_crates.map(|(crates, of)| format!("--cooldown {name}/{crates}={}", age(of))));
        parts.extend(self.cooldown_strict.then(|| "--cooldown-strict".to_owned()));
        parts.extend(self.advisory_actions().described().map(|at| format!("--advisory-policy {at}")));
        if parts.is_empty() { "neither a cooldown nor an advisory policy".to_owned() } else { parts.join(" ") }
    }

    /// The age at which versions of an upstream are shown, if there is one.
    pub fn cooldown_of(&self, name: &str) -> Option<Duration> {
        let mut of_all = self.cooldowns.iter().rev().filter(|one| one.crates.is_none());
        let own = of_all.clone().find(|one| one.upstream.as_deref() == Some(name));
        own.or_else(|| of_all.find(|one| one.upstream.is_none())).map(|found| found.age).filter(|age| !age.is_zero())
    }

    /// The ages for some crates of an upstream, in their order.
    pub fn cooldowns_of_crates(&self, name: &str) -> Vec<(CratePattern, Duration)> {
        let own = self.cooldowns.iter().filter(|one| one.upstream.as_deref() == Some(name));
        own.filter_map(|one| Some((one.crates.clone()?, one.age))).collect()
    }
}

pub(super) fn name(text: &str) -> Result<String, String> {
    let is_allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if text.is_empty() || text.len() > 40 || !text.bytes().all(is_allowed) {
        return Err(format!("{text:?} is no name of an upstream: use 1 to 40 lower-case letters, digits and '-'"));
    }
    Ok(text.to_owned())
}

pub(super) fn upstream(text: &str) -> Result<NamedUpstream, String> {
    let Some((given, url)) = text.split_once('=') else {
        if text == CRATES_IO.0 {
            return Ok(NamedUpstream { name: text.to_owned(), index: CRATES_IO.1.to_owned() });
        }
        return Err("use crates-io, or NAME=sparse+https://… with the URL of a sparse index".to_owned());
    };
    let name = name(given)?;
    let index = url.strip_prefix("sparse+").ok_or("the URL of a sparse index begins with sparse+")?;
    let parsed = url::Url::parse(index).map_err(|error| format!("{index:?} is no URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("use a URL with http:// or https://, and without ? and #".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("the URL has a user: give the token with --upstream-token-file".to_owned());
    }
    let index = parsed.as_str().trim_end_matches('/');
    Ok(NamedUpstream { name, index: format!("{index}/") })
}

pub(super) fn token_file(text: &str) -> Result<UpstreamTokenFile, String> {
    let (given, file) = text.split_once('=').ok_or("use NAME=FILE, with the name of an --upstream")?;
    let file = PathBuf::from(file);
    if !file.is_absolute() {
        return Err(format!("{} is a relative path: give an absolute one", file.display()));
    }
    Ok(UpstreamTokenFile { name: name(given)?, file })
}

fn contact(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|c| c.is_ascii_graphic() || c == b' ');
    if text.is_empty() || text.len() > 200 || !is_plain {
        return Err("use up to 200 characters of ASCII, such as a URL or an e-mail address".to_owned());
    }
    Ok(text.to_owned())
}

fn cooldown(text: &str) -> Result<Cooldown, String> {
    let (upstream, crates, age) = match text.split_once('=') {
        None => (None, None, duration(text)?),
        Some((given, age)) => {
            let (of, crates) = given.split_once('/').map_or((given, None), |(of, crates)| (of, Some(crates)));
            let crates = crates.map(|crates| crates.parse().map_err(|error: InvalidPattern| error.to_string()));
            (Some(name(of)?), crates.transpose()?, duration(age)?)
        }
    };
    if age > LONGEST_COOLDOWN {
        return Err("too long: use at most 36500days".to_owned());
    }
    Ok(Cooldown { upstream, crates, age })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_has_a_name_and_the_url_of_a_sparse_index() {
        let index = |text: &str| upstream(text).map(|one| one.index);
        assert_eq!(index("crates-io"), Ok("https://index.crates.io/".to_owned()));
        assert_eq!(
            index("acme=sparse+https://crates.acme.example/index"),
            Ok("https://crates.acme.example/index/".to_owned())
        );
        assert_eq!(index("crates-io=sparse+http://127.0.0.1:8/i//"), Ok("http://127.0.0.1:8/i/".to_owned()));
        for wrong in [
            "acme",
            "acme=https://crates.acme.example/index/",
            "acme=sparse+ssh://crates.acme.example/",
            "acme=sparse+https://token@crates.acme.example/",
            "acme=sparse+https://crates.acme.example/?a=b",
            "acme=sparse+crates.acme.example",
            "Acme=sparse+https://crates.acme.example/",
            "a/b=sparse+https://crates.acme.example/",
            "=sparse+https://crates.acme.example/",
        ] {
            assert!(upstream(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cooldown_of_one_upstream_counts_before_that_of_all() {
        let options = |cooldowns: &[&str]| UpstreamOptions {
            upstreams: vec![upstream("crates-io").unwrap(), upstream("acme=sparse+https://a.example/").unwrap()],
            upstream_token_files: Vec::new(),
            upstream_contact: None,
            upstream_fresh: Duration::ZERO,
            upstream_stale: Duration::ZERO,
            upstream_away: Duration::ZERO,
            upstream_offline: false,
            upstream_cache_size: 0,
            upstream_index_in: None,
            cooldown_strict: false,
            advisory_policy: Vec::new(),
            cooldowns: cooldowns.iter().map(|text| cooldown(text).unwrap()).collect(),
        };
        let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
        let both = options(&["acme=0s", "3days"]);
        assert_eq!((both.cooldown_of("crates-io"), both.cooldown_of("acme")), (days(3), None));
        assert_eq!(options(&["acme=5days"]).cooldown_of("crates-io"), None);
        let some = options(&["3days", "crates-io/aws-*=0s", "acme=1day", "acme/tls=2days"]);
        assert_eq!((some.cooldown_of("crates-io"), some.cooldown_of("acme")), (days(3), days(1)));
        assert_eq!(some.cooldowns_of_crates("acme"), [("tls".parse().unwrap(), Duration::from_secs(2 * 24 * 3600))]);
        assert!(cooldown("crates-io/*a=1day").unwrap_err().contains("\"*a\" is not a crate pattern"));
        let strict = UpstreamOptions { cooldown_strict: true, ..options(&[]) };
        assert!(strict.check().unwrap_err().contains("--cooldown-strict: there is no cooldown"));
        assert!(both.check().is_ok());
        assert!(options(&["other=1day"]).check().unwrap_err().contains("there is no upstream \"other\""));
        assert!(cooldown("36501days").unwrap_err().contains("at most 36500days"));
        let twice = UpstreamOptions { upstreams: vec![upstream("crates-io").unwrap(); 2], ..options(&[]) };
        assert!(twice.check().unwrap_err().contains("given twice"));
    }
}
