//! Database URLs and keyword strings.

use crate::redact;

/// Timeouts after which a silent connection counts as broken. Without them, a wait for a server that lost its power
/// ends with the system's timeouts, after hours. In seconds; `tcp_user_timeout` in milliseconds.
const DEFAULTS: [(&str, &str); 5] = [
    ("connect_timeout", "10"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// Adds timeouts to a URL or keyword string. Its own values come later and have precedence.
pub fn with_timeouts(url: &str) -> String {
    if !is_url(url) {
        let defaults = DEFAULTS.map(|(name, value)| format!("{name}={value} "));
        return defaults.concat() + url;
    }
    let defaults = DEFAULTS.map(|(name, value)| format!("{name}={value}")).join("&");
    match url.split_once('?') {
        None => format!("{url}?{defaults}"),
        Some((address, "")) => format!("{address}?{defaults}"),
        Some((address, given)) => format!("{address}?{defaults}&{given}"),
    }
}

/// What is wrong with a URL or keyword string that libpq would quote in its error, perhaps with a part of the password.
pub fn malformed(url: &str) -> Option<&'static str> {
    if !is_url(url) {
        let is_keywords = url.contains('=') && !url.contains("//");
        return (!is_keywords).then_some("write it as postgresql://user:password@host/name");
    }
    let after_scheme = url.split_once("://").map_or("", |(_, after)| after);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    let has_port = |host: &str| match host.rsplit_once(':') {
        Some((_, port)) if !host.ends_with(']') => port.bytes().all(|byte| byte.is_ascii_digit()),
        _ => true,
    };
    let is_encoded = |part: &str| part.len() >= 2 && part.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    let is_plain = authority.matches('@').count() <= 1
        && hosts.split(',').all(has_port)
        && !url.contains(char::is_whitespace)
        && url.split('%').skip(1).all(is_encoded);
    (!is_plain).then_some("percent-encode special characters in user name and password, such as %40 for @")
}

/// The database's address as it may be shown: without user name, password and parameters.
pub fn without_secrets(url: &str) -> String {
    if is_url(url) { redact::url(url) } else { "the given address".to_owned() }
}

/// Whether a password is part of the URL or keyword string.
pub fn has_password(url: &str) -> bool {
    // In a keyword string spaces may surround the `=`.
    redact::has_password(url) || url.split_whitespace().collect::<String>().contains("password=")
}

/// False for a keyword string.
fn is_url(url: &str) -> bool {
    url.starts_with("postgresql://") || url.starts_with("postgres://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_is_shown_without_its_password() {
        assert_eq!(without_secrets("postgresql://me:secret@host:5432/db?password=x"), "postgresql://host:5432/db");
        assert_eq!(without_secrets("postgresql:///db"), "postgresql:///db");
        assert_eq!(without_secrets("host=h password=secret"), "the given address");
    }

    #[test]
    fn a_url_that_libpq_would_quote_is_found_before() {
        for right in [
            "postgresql:///supercargo?host=/srv/my%20registry/postgres&hostaddr=&port=5432",
            "postgres://u:p%40ss@h:5432,[::1]:5433/db?sslmode=require",
            "postgresql://u@[::1]/db",
            "host=h password=p@ss",
        ] {
            assert_eq!(malformed(right), None, "{right}");
        }
        for wrong in [
            "postgres://u:pa SS@h/x",
            "postgres://u:p%zz@h/x",
            "postgres://u:p@SS@h/x",
            "postgres://u:p/SS@h/x",
            "mysql://u:SS@h/x?a=b",
            "postgres//u:SS@h/x",
            "SS",
        ] {
            assert!(malformed(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_found_in_every_form_of_a_database_url() {
        for with in ["postgresql://u:p@h/db", "postgres://h/db?password=p", "host=h password=p", "host=h password = p"]
        {
            assert!(has_password(with), "{with}");
        }
        for without in ["postgresql://u@h:5432/db", "postgresql:///db?host=/run", "host=h user=u"] {
            assert!(!has_password(without), "{without}");
        }
    }

    #[test]
    fn timeouts_come_before_the_values_of_the_url() {
        let defaults =
            "connect_timeout=10&keepalives_idle=5&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000";
        assert_eq!(with_timeouts("postgresql://u@h/db"), format!("postgresql://u@h/db?{defaults}"));
        assert_eq!(
            with_timeouts("postgres://h/db?connect_timeout=3"),
            format!("postgres://h/db?{defaults}&connect_timeout=3")
        );
        assert_eq!(
            with_timeouts("host=h dbname=db"),
            "connect_timeout=10 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000 host=h dbname=db"
        );
    }
}
