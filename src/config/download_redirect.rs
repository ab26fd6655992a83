//! Options of downloads that are redirected.

use std::time::Duration;

use clap::Args;

use super::CrateStorePlace;
use super::base_url::base_url;
use super::durations::pause;

/// The longest time that S3 accepts for a signed URL.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Downloads that are redirected.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "CDN")]
pub struct DownloadRedirectOptions {
    /// Redirect downloads of crate files: presigned, or public=URL
    ///
    /// With `presigned` clients get a signed URL of the bucket of --crate-store, after their token was checked. With
    /// `public=URL` they get URL/ab/ab12….crate, where a CDN serves what is in the crate store. Downloads are counted as
    /// before. Crate files of upstreams are sent by the registry.
    #[arg(long, hide = true, env = "SUPERCARGO_DOWNLOAD_REDIRECT", value_name = "presigned|public=URL", value_parser = redirect)]
    pub download_redirect: Option<Redirect>,
    /// How long a presigned URL is valid
    #[arg(long, hide = true, env = "SUPERCARGO_DOWNLOAD_REDIRECT_EXPIRY", value_name = "DURATION", default_value = "5m", value_parser = expiry)]
    pub download_redirect_expiry: Duration,
}

/// Where downloads are redirected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    Presigned,
    /// Without a trailing slash.
    Public(String),
}

impl DownloadRedirectOptions {
    /// Refuses options that do not go together.
    pub fn check(&self, crate_store: Option<&CrateStorePlace>, auth_required: bool) -> Result<(), String> {
        match &self.download_redirect {
            Some(Redirect::Presigned) if !matches!(crate_store, Some(CrateStorePlace::Bucket { .. })) => {
                Err("--download-redirect presigned: only a bucket has such URLs: set --crate-store s3://BUCKET/PREFIX"
                    .to_owned())
            }
            Some(Redirect::Public(_)) if auth_required => {
                Err("--download-redirect public: everyone could read the crate files that --auth-required hides: use \
                     `presigned`"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn redirect(text: &str) -> Result<Redirect, String> {
    match text.split_once('=') {
        None if text == "presigned" => Ok(Redirect::Presigned),
        Some(("public", url)) => base_url(url).map(Redirect::Public),
        _ => Err("use presigned or public=URL".to_owned()),
    }
}

fn expiry(text: &str) -> Result<Duration, String> {
    match pause(text)? {
        expiry if expiry > LONGEST => Err("S3 accepts signed URLs for at most 7days".to_owned()),
        expiry if expiry < Duration::from_secs(1) => Err("use at least 1s".to_owned()),
        expiry => Ok(expiry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::crate_store::place;

    #[test]
    fn a_redirect_leads_to_a_bucket_or_a_public_place() {
        let check = |to: &str, store: Option<&str>, auth_required| {
            let options = DownloadRedirectOptions {
                download_redirect: Some(redirect(to).unwrap()),
                download_redirect_expiry: Duration::from_secs(300),
            };
            options.check(store.map(|store| place(store).unwrap()).as_ref(), auth_required)
        };
        check("presigned", Some("s3://crates"), true).unwrap();
        check("public=https://cdn.example/crates/", None, false).unwrap();
        assert_eq!(redirect("public=https://cdn.example/"), Ok(Redirect::Public("https://cdn.example".to_owned())));
        assert!(check("presigned", Some("/srv/crates"), false).unwrap_err().contains("only a bucket"));
        assert!(check("public=https://cdn.example", None, true).unwrap_err().contains("everyone could read"));
        for wrong in ["", "public", "public=", "public=cdn.example", "private=https://a", "presigned=5m"] {
            assert!(redirect(wrong).is_err(), "{wrong}");
        }
        assert!(expiry("8days").is_err() && expiry("0s").is_err());
    }
}
