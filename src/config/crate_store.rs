//! Options about where crate files are stored.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::durations::pause;
use crate::redact;

/// The options of commands that store or read crate files.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Crate files")]
pub struct CrateStoreOptions {
    /// Location of crate files: s3://BUCKET/PREFIX or a directory
    ///
    /// The default is the directory `crates` in the data directory. The prefix is optional. Any service with the S3 API
    /// works. Use the same value for every process of a registry. A bucket needs credentials, from the first of these
    /// sources that has them: SUPERCARGO_S3_ACCESS_KEY_ID and SUPERCARGO_S3_SECRET_ACCESS_KEY in the environment (and
    /// SUPERCARGO_S3_SESSION_TOKEN for temporary ones), --s3-credentials-file, and the variables AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. They need the permissions s3:ListBucket, s3:GetObject, s3:PutObject
    /// and s3:DeleteObject.
    #[arg(long, env = "SUPERCARGO_CRATE_STORE", value_name = "URL", value_parser = place)]
    pub crate_store: Option<CrateStorePlace>,
    /// URL of the S3 service [default: AWS_ENDPOINT_URL, or AWS]
    #[arg(long, env = "SUPERCARGO_S3_ENDPOINT", value_name = "URL", value_parser = endpoint)]
    pub s3_endpoint: Option<String>,
    /// Region of the bucket [default: AWS_REGION, or us-east-1]
    ///
    /// Requests are signed for it. Most services other than AWS accept any region.
    #[arg(long, env = "SUPERCARGO_S3_REGION", value_name = "NAME")]
    pub s3_region: Option<String>,
    /// Place of the bucket in URLs: path, virtual (host name), or auto: virtual for AWS, else path
    #[arg(long, hide = true, env = "SUPERCARGO_S3_URL_STYLE", value_name = "STYLE", default_value = "auto")]
    pub s3_url_style: S3UrlStyle,
    /// Allow an endpoint with http://, where crate files and signatures are sent unencrypted
    #[arg(long, hide = true, env = "SUPERCARGO_S3_ALLOW_HTTP")]
    pub s3_allow_http: bool,
    /// File with the S3 credentials, as the AWS tools write it
    ///
    /// The file has the lines aws_access_key_id = …, aws_secret_access_key = … and, for temporary credentials,
    /// aws_session_token = ….
    #[arg(long, env = "SUPERCARGO_S3_CREDENTIALS_FILE", value_name = "FILE")]
    pub s3_credentials_file: Option<PathBuf>,
    /// Time limit for a request to S3, retries included, and for a stalled download
    ///
    /// After it the client gets a 503 and can retry.
    #[arg(long, hide = true, env = "SUPERCARGO_S3_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = pause)]
    pub s3_timeout: Duration,
}

/// The value of `--crate-store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrateStorePlace {
    Directory(PathBuf),
    /// A bucket; the prefix has no leading or trailing slash and may be empty.
    Bucket {
        bucket: String,
        prefix: String,
    },
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3UrlStyle {
    Auto,
    Path,
    Virtual,
}

/// Access key, secret key, and the token of temporary credentials.
pub type S3Keys = (String, String, Option<String>);

impl CrateStoreOptions {
    /// The region, from the option or from AWS's variables.
    pub fn region(&self) -> String {
        let given =
            self.s3_region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        given.filter(|region| !region.is_empty()).unwrap_or_else(|| "us-east-1".to_owned())
    }

    /// Refuses an endpoint that would be refused when crate files are stored, or the index is exported.
    pub fn check(&self, exports: bool) -> Result<(), String> {
        match self.crate_store {
            Some(CrateStorePlace::Bucket { .. }) => self.endpoint().map(drop),
            _ if exports => self.endpoint().map(drop),
            _ => Ok(()),
        }
    }

    /// The endpoint, from the option or from AWS's variables; `None` is AWS.
    ///
    /// # Errors
    ///
    /// The endpoint is plain HTTP without `--s3-allow-http`.
    pub fn endpoint(&self) -> Result<Option<String>, String> {
        let of_variable = |name: &'static str| variable(name).map(|url| (name, url));
        let given = || of_variable("AWS_ENDPOINT_URL_S3").or_else(|| of_variable("AWS_ENDPOINT_URL"));
        let endpoint = self.s3_endpoint.clone().map(|url| ("--s3-endpoint", url)).or_else(given);
        match endpoint {
            Some((source, url)) if url.starts_with("http://") && !self.s3_allow_http => Err(format!(
                "the S3 endpoint {} ({source}) is plain HTTP, which is not encrypted: use https://, or allow it with \
                 --s3-allow-http",
                redact::userinfo(&url)
            )),
            endpoint => Ok(endpoint.map(|(_, url)| url)),
        }
    }

    pub fn is_virtual_hosted(&self, endpoint: Option<&str>) -> bool {
        match self.s3_url_style {
            S3UrlStyle::Auto => endpoint.is_none(),
            S3UrlStyle::Path => false,
            S3UrlStyle::Virtual => true,
        }
    }

    /// The credentials, all from one source.
    ///
    /// # Errors
    ///
    /// There are no credentials, or only half of them. The message contains no secret.
    pub fn keys(&self) -> Result<S3Keys, String> {
        match (variable("SUPERCARGO_S3_ACCESS_KEY_ID"), variable("SUPERCARGO_S3_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => return Ok((id, secret, variable("SUPERCARGO_S3_SESSION_TOKEN"))),
            (Some(_), None) => return Err(half("SUPERCARGO_S3_SECRET_ACCESS_KEY", "SUPERCARGO_S3_ACCESS_KEY_ID")),
            (None, Some(_)) => return Err(half("SUPERCARGO_S3_ACCESS_KEY_ID", "SUPERCARGO_S3_SECRET_ACCESS_KEY")),
            (None, None) => {}
        }
        if let Some(file) = &self.s3_credentials_file {
            let name = file.display();
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read {name} (--s3-credentials-file): {error}"))?;
            return keys_in(&text).ok_or_else(|| {
                format!(
                    "{name} (--s3-credentials-file) has no credentials: add the lines aws_access_key_id = … and \
                     aws_secret_access_key = …"
                )
            });
        }
        match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => Ok((id, secret, variable("AWS_SESSION_TOKEN"))),
            _ => Err("no S3 credentials: set SUPERCARGO_S3_ACCESS_KEY_ID and SUPERCARGO_S3_SECRET_ACCESS_KEY, or use \
                      --s3-credentials-file"
                .to_owned()),
        }
    }
}

fn half(missing: &str, given: &str) -> String {
    format!("{given} is set and {missing} is not: set both")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The keys in a file like `~/.aws/credentials`; of repeated lines, the first one counts.
fn keys_in(text: &str) -> Option<S3Keys> {
    let find = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
    };
    Some((find("aws_access_key_id")?, find("aws_secret_access_key")?, find("aws_session_token")))
}

pub(super) fn place(text: &str) -> Result<CrateStorePlace, String> {
    let Some(rest) = text.strip_prefix("s3://") else {
        if text.is_empty() || text.contains("://") {
            return Err("use s3://BUCKET, s3://BUCKET/PREFIX or a directory".to_owned());
        }
        return Ok(CrateStorePlace::Directory(PathBuf::from(text)));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if bucket.is_empty() || !bucket.chars().all(good) {
        return Err("the bucket's name is missing or invalid: use letters, digits, '-' and '.'".to_owned());
    }
    let prefix = prefix.trim_matches('/');
    let empty_part = !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | ".."));
    if empty_part || !prefix.chars().all(|c| good(c) || c == '/') {
        return Err("the prefix is invalid: use letters, digits, '-', '_' and '.', separated by '/'".to_owned());
    }
    Ok(CrateStorePlace::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn endpoint(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() || !plain || url.path() != "/" {
        return Err("use https://HOST or https://HOST:PORT without a path: bucket and prefix belong in --crate-store"
            .to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_with_or_without_a_prefix_or_a_directory() {
        let bucket = |bucket: &str, prefix: &str| {
            Ok(CrateStorePlace::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        assert_eq!(place("s3://crates"), bucket("crates", ""));
        assert_eq!(place("s3://crates/"), bucket("crates", ""));
        assert_eq!(place("s3://crates/a/b/"), bucket("crates", "a/b"));
        assert_eq!(place("/mnt/crates"), Ok(CrateStorePlace::Directory("/mnt/crates".into())));
        for wrong in ["", "s3://", "s3:///a", "s3://a b", "s3://a/b//c", "s3://a/../b", "s3://a/b?c", "https://a/b"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_holds_no_secret() {
        assert_eq!(endpoint("https://s3.example:9000/"), Ok("https://s3.example:9000".to_owned()));
        for wrong in ["s3.example", "ftp://s3.example", "https://u:p@s3.example", "https://s3.example/bucket"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_read_from_a_file_as_the_aws_programs_write_it() {
        let text = "[default]\naws_access_key_id = AK\naws_secret_access_key=a+b/c==\n";
        assert_eq!(keys_in(text), Some(("AK".to_owned(), "a+b/c==".to_owned(), None)));
        assert_eq!(keys_in("aws_access_key_id = AK\n"), None);
    }
}
