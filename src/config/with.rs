//! Options of `with`, and the environment of its registry.

use std::ffi::OsString;

use clap::Args;

/// The variables that the temporary registry reads: rules for packages and users, and programs. Everything else with
/// our prefix describes another registry, and OpenTelemetry's variables describe another service.
pub const INHERITED: [&str; 31] = [
    "SUPERCARGO_ALLOWED_REGISTRIES",
    "SUPERCARGO_ALLOW_WILDCARD_DEPENDENCIES",
    "SUPERCARGO_AUTH_REQUIRED",
    "SUPERCARGO_COMMIT_MISMATCH",
    "SUPERCARGO_CRATE_DELETION_WINDOW",
    "SUPERCARGO_GIT",
    "SUPERCARGO_LOG_FORMAT",
    "SUPERCARGO_MANIFEST_MISMATCH",
    "SUPERCARGO_MAX_CRATE_SIZE",
    "SUPERCARGO_MAX_DOCS_FILES",
    "SUPERCARGO_MAX_DOCS_FILE_SIZE",
    "SUPERCARGO_MAX_DOCS_SIZE",
    "SUPERCARGO_MAX_DOCS_UNPACKED_SIZE",
    "SUPERCARGO_MAX_DEPENDENCIES",
    "SUPERCARGO_MAX_FEATURES",
    "SUPERCARGO_MAX_INDEX_FILE_SIZE",
    "SUPERCARGO_MAX_INDEX_LINE_SIZE",
    "SUPERCARGO_MAX_MANIFEST_SIZE",
    "SUPERCARGO_MAX_METADATA_SIZE",
    "SUPERCARGO_MAX_UNPACKED_SIZE",
    "SUPERCARGO_METADATA_RULES",
    "SUPERCARGO_NEW_CRATES",
    "SUPERCARGO_OWNER_INVITATIONS",
    "SUPERCARGO_PORTABLE_PATHS",
    "SUPERCARGO_POSTGRES_USER",
    "SUPERCARGO_PUBLISH_WAIT",
    "SUPERCARGO_RATE_LIMIT",
    "SUPERCARGO_REQUIRE_KNOWN_DEPENDENCIES",
    "SUPERCARGO_REQUIRE_METADATA",
    "SUPERCARGO_UPLOAD_ALLOWANCE",
    "SUPERCARGO_WEBHOOK_ALLOW",
];

/// The options of `with`.
#[derive(Args, Debug)]
#[command(override_usage = "supercargo with [--user NAME]... -- COMMAND [ARG]...")]
pub struct WithOptions {
    /// Create a user, with a token in SUPERCARGO_TOKEN_<NAME>; repeatable
    ///
    /// In the variable's name, letters are in upper case and characters other than letters and digits are '_'.
    #[arg(long = "user", value_name = "NAME")]
    pub users: Vec<String>,
    /// Directory of PostgreSQL's programs (initdb, postgres) [default: PATH, /usr/lib/postgresql/*/bin]
    #[arg(long, hide = true, env = "SUPERCARGO_POSTGRES_BIN_DIR", value_name = "DIR")]
    pub postgres_bin_dir: Option<std::path::PathBuf>,
    /// Command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// The variables of the current environment that describe another registry, which the temporary registry must not
/// read.
pub fn not_inherited() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_str().is_some_and(describes_another)).collect()
}

fn describes_another(name: &str) -> bool {
    name == "DATABASE_URL"
        || name.starts_with("OTEL_")
        || (name.starts_with("SUPERCARGO_") && !INHERITED.contains(&name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{command, is_settable};

    /// Variables of `serve` that describe one registry: where it is, what it listens on, who watches it.
    const NOT_INHERITED: [&str; 76] = [
        "SUPERCARGO_ALLOW_INSECURE_TOKEN",
        "SUPERCARGO_CONFIG",
        "SUPERCARGO_CORS_ORIGIN",
        "SUPERCARGO_CRATE_STORE",
        "SUPERCARGO_DATABASE_POOL_SIZE",
        "SUPERCARGO_DATABASE_URL",
        "SUPERCARGO_DATA_DIR",
        "SUPERCARGO_DOCS_URL",
        "SUPERCARGO_DOWNLOAD_FLUSH_INTERVAL",
        "SUPERCARGO_DOWNLOAD_REDIRECT",
        "SUPERCARGO_DOWNLOAD_REDIRECT_EXPIRY",
        "SUPERCARGO_HISTORY_RETENTION",
        "SUPERCARGO_IDENTITY_PROVIDER",
        "SUPERCARGO_INDEX_BRANCH",
        "SUPERCARGO_INDEX_EXPORT",
        "SUPERCARGO_INDEX_EXPORT_CACHE_CONTROL",
        "SUPERCARGO_INDEX_EXPORT_INVALIDATE",
        "SUPERCARGO_INDEX_EXPORT_INVALIDATE_TIMEOUT",
        "SUPERCARGO_INDEX_POLL_INTERVAL",
        "SUPERCARGO_INDEX_PUSH_TIMEOUT",
        "SUPERCARGO_INDEX_REMOTE",
        "SUPERCARGO_INDEX_SSH_KEY",
        "SUPERCARGO_INDEX_SSH_KNOWN_HOSTS",
        "SUPERCARGO_INDEX_TOKEN_FILE",
        "SUPERCARGO_INDEX_USER",
        "SUPERCARGO_JOB_TIME_LIMIT",
        "SUPERCARGO_LISTEN",
        "SUPERCARGO_EMAIL_FROM",
        "SUPERCARGO_LOG",
        "SUPERCARGO_MAX_CLONES",
        "SUPERCARGO_MAX_CONNECTIONS",
        "SUPERCARGO_MAX_CONNECTIONS_PER_ADDRESS",
        "SUPERCARGO_MAX_PENDING_JOBS",
        "SUPERCARGO_MAX_UPLOAD_MEMORY",
        "SUPERCARGO_METRICS_LISTEN",
        "SUPERCARGO_NO_WORKER",
        // `with` has this option itself and passes its value on.
        "SUPERCARGO_POSTGRES_BIN_DIR",
        "SUPERCARGO_OTLP_ENDPOINT",
        "SUPERCARGO_PUBLIC_URL",
        "SUPERCARGO_QUARANTINE_RETENTION",
        "SUPERCARGO_S3_ALLOW_HTTP",
        "SUPERCARGO_S3_CREDENTIALS_FILE",
        "SUPERCARGO_S3_ENDPOINT",
        "SUPERCARGO_S3_REGION",
        "SUPERCARGO_S3_TIMEOUT",
        "SUPERCARGO_S3_URL_STYLE",
        "SUPERCARGO_SENTRY_DSN",
        "SUPERCARGO_SENTRY_ENVIRONMENT",
        "SUPERCARGO_SENTRY_TRACES_SAMPLE_RATE",
        "SUPERCARGO_SHUTDOWN_GRACE",
        "SUPERCARGO_SIGN_IN_WITH",
        "SUPERCARGO_SMTP_URL",
        "SUPERCARGO_SOURCE_CACHE_SIZE",
        "SUPERCARGO_TLS_CERT",
        "SUPERCARGO_TLS_KEY",
        "SUPERCARGO_TRUSTED_PROXIES",
        "SUPERCARGO_ADVISORIES",
        "SUPERCARGO_ADVISORIES_REFRESH",
        "SUPERCARGO_ADVISORY_POLICY",
        "SUPERCARGO_COOLDOWN",
        "SUPERCARGO_COOLDOWN_STRICT",
        "SUPERCARGO_DOWNLOAD_LOG_ANONYMOUS",
        "SUPERCARGO_DOWNLOAD_LOG_RETENTION",
        "SUPERCARGO_UPSTREAM",
        "SUPERCARGO_UPSTREAM_AWAY",
        "SUPERCARGO_UPSTREAM_CACHE_SIZE",
        "SUPERCARGO_UPSTREAM_CONTACT",
        "SUPERCARGO_UPSTREAM_FRESH",
        "SUPERCARGO_UPSTREAM_INDEX_IN",
        "SUPERCARGO_UPSTREAM_NAMES",
        "SUPERCARGO_UPSTREAM_OFFLINE",
        "SUPERCARGO_UPSTREAM_STALE",
        "SUPERCARGO_UPSTREAM_TOKEN_FILE",
        "SUPERCARGO_URL_ALIASES",
        "SUPERCARGO_VERIFY_INTERVAL",
        // Not of `serve`, but read beside an option.
        "DATABASE_URL",
    ];

    #[test]
    fn every_variable_of_serve_is_inherited_or_deliberately_not() {
        let mut command = command();
        command.build();
        let serve = command.find_subcommand("serve").unwrap();
        let variables: BTreeSet<&str> =
            serve.get_arguments().filter(|option| is_settable(option)).map(variable_of).collect();
        let decided: BTreeSet<&str> = INHERITED.into_iter().chain(NOT_INHERITED).collect();
        let undecided: Vec<_> = variables.difference(&decided).collect();
        assert!(undecided.is_empty(), "add these to one of the two lists: {undecided:?}");
        let gone: Vec<_> = decided.difference(&variables).filter(|name| **name != "DATABASE_URL").collect();
        assert!(gone.is_empty(), "no option of `serve` has these: {gone:?}");
        assert_eq!(decided.len(), INHERITED.len() + NOT_INHERITED.len(), "a variable is in both lists");
    }

    fn variable_of(option: &clap::Arg) -> &str {
        option.get_env().and_then(|name| name.to_str()).unwrap()
    }

    #[test]
    fn a_variable_of_ours_that_is_on_no_list_is_not_inherited() {
        for other in ["SUPERCARGO_METRICS_LISTEN", "SUPERCARGO_FAIL_POINTS", "OTEL_SERVICE_NAME", "DATABASE_URL"] {
            assert!(describes_another(other), "{other}");
        }
        for usual in ["SUPERCARGO_AUTH_REQUIRED", "PATH", "HOME", "RUST_LOG"] {
            assert!(!describes_another(usual), "{usual}");
        }
    }
}
