//! Options of the copy of the index in a bucket.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::Args;

use super::crate_store::{CrateStorePlace, place};
use super::durations::pause;

/// The options of processes that export the index.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "CDN")]
pub struct IndexExportOptions {
    /// Bucket to which the sparse index is copied: s3://BUCKET/PREFIX
    ///
    /// A CDN serves it from there, and clients read it instead of /index/. The service and the credentials are those of
    /// --s3-endpoint and the options beside it. The objects are public, so a registry with --auth-required has no export.
    /// Each `serve` and `worker` that runs jobs needs the same value. See docs/cdn.md.
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_EXPORT", value_name = "URL", value_parser = bucket)]
    pub index_export: Option<ExportPlace>,
    /// Cache-Control of the exported files
    ///
    /// The default makes caches ask the bucket each time, as those in front of the registry do. After a change run
    /// `supercargo index export --rewrite`.
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_EXPORT_CACHE_CONTROL", value_name = "VALUE", default_value = "no-cache", value_parser = header)]
    pub index_export_cache_control: String,
    /// Shell command that makes the CDN forget changed files
    ///
    /// It gets their paths on its standard input, one a line, or the line * for all files. It is run again until it succeeds.
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_EXPORT_INVALIDATE", value_name = "COMMAND", value_parser = command)]
    pub index_export_invalidate: Option<String>,
    /// Time limit for that command
    #[arg(long, hide = true, env = "SUPERCARGO_INDEX_EXPORT_INVALIDATE_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = pause)]
    pub index_export_invalidate_timeout: Duration,
}

/// A bucket and a prefix, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPlace {
    pub bucket: String,
    pub prefix: String,
}

impl IndexExportOptions {
    /// Refuses an export that would overwrite crate files, or show a private registry.
    pub fn check(&self, crate_store: Option<&CrateStorePlace>, auth_required: bool) -> Result<(), String> {
        let Some(export) = &self.index_export else { return Ok(()) };
        if auth_required {
            return Err("--index-export: everyone can read the objects of an export, and --auth-required hides the index: remove \
                        one of the two"
                .to_owned());
        }
        match crate_store {
            Some(CrateStorePlace::Bucket { bucket, prefix })
                if *bucket == export.bucket
                    && (is_below(prefix, &export.prefix) || is_below(&export.prefix, prefix)) =>
            {
                let (index, crates) = (url(&export.bucket, &export.prefix), url(bucket, prefix));
                Err(format!(
                    "--index-export {index} and --crate-store {crates} are the same place, or one is inside the other: use two \
                     prefixes, as in s3://{bucket}/index and s3://{bucket}/crates"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a prefix is another one or inside it.
fn is_below(prefix: &str, other: &str) -> bool {
    other.is_empty() || prefix.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn url(bucket: &str, prefix: &str) -> String {
    if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") }
}

fn bucket(text: &str) -> Result<ExportPlace, String> {
    match place(text) {
        Ok(CrateStorePlace::Bucket { bucket, prefix }) => Ok(ExportPlace { bucket, prefix }),
        _ => Err("use s3://BUCKET or s3://BUCKET/PREFIX".to_owned()),
    }
}

fn header(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.trim().is_empty() || !text.chars().all(is_plain) {
        return Err("use a value of the header Cache-Control, such as no-cache or public, max-age=60".to_owned());
    }
    Ok(text.trim().to_owned())
}

fn command(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("use a shell command".to_owned()) } else { Ok(text.to_owned()) }
}

/// What the variables begin with that this process was given for itself alone. Those of AWS stay: its command line reads them.
const OWN: [&str; 4] = ["SUPERCARGO_", "OTEL_", "PG", "DATABASE_URL"];

/// The variables that are kept from the command.
pub fn own_variables() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_own(name)).collect()
}

fn is_own(name: &OsStr) -> bool {
    OWN.iter().any(|begin| name.as_encoded_bytes().starts_with(begin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_does_not_get_what_is_for_the_registry_alone() {
        for name in [
            "SUPERCARGO_S3_SECRET_ACCESS_KEY",
            "SUPERCARGO_X",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "PGPASSWORD",
            "DATABASE_URL",
        ] {
            assert!(is_own(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "AWS_SECRET_ACCESS_KEY", "FASTLY_API_TOKEN"] {
            assert!(!is_own(OsStr::new(name)), "{name}");
        }
    }

    fn export(place: &str) -> IndexExportOptions {
        IndexExportOptions {
            index_export: Some(bucket(place).unwrap()),
            index_export_cache_control: "no-cache".to_owned(),
            index_export_invalidate: None,
            index_export_invalidate_timeout: Duration::from_secs(60),
        }
    }

    #[test]
    fn an_export_is_public_and_has_a_place_of_its_own() {
        let crates = place("s3://a/b").unwrap();
        export("s3://a/index").check(Some(&crates), false).unwrap();
        export("s3://a/bc").check(Some(&crates), false).unwrap();
        export("s3://other/b").check(Some(&crates), false).unwrap();
        for place in ["s3://a/b/", "s3://a", "s3://a/b/index"] {
            let refused = export(place).check(Some(&crates), false).unwrap_err();
            assert!(refused.contains("--crate-store s3://a/b are the same place"), "{refused}");
        }
        let all = place("s3://a").unwrap();
        assert!(export("s3://a/index").check(Some(&all), false).unwrap_err().contains("--crate-store s3://a are"));
        assert!(export("s3://a/index").check(None, true).unwrap_err().contains("everyone can read"));
        assert!(bucket("/srv/index").is_err());
        assert!(header("no-cache\r\nx: y").is_err());
    }
}
