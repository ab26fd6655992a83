//! Database URLs and keyword strings.

use super::client_programs::environment;
use crate::redact;

/// Timeouts after which a silent connection counts as broken. Without them, a wait for a server that lost its power
/// ends with the system's timeouts, after hours. In seconds; `tcp_user_timeout` in milliseconds.
///
/// And a server on which nothing can be written, such as the standby of the one that is meant, is not connected to.
const DEFAULTS: [(&str, &str); 5] = [
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
    ("target_session_attrs", "read-write"),
];
/// The time limit for a new connection, in seconds.
const CONNECT: u64 = 10;
/// The limit for each of several servers: one that vanished must not delay the next attempt for long.
const CONNECT_EACH: u64 = 3;
/// The port of a server for which a list of ports has none.
const DEFAULT_PORT: &str = "5432";

/// Adds timeouts to a URL or keyword string, and the demand for a server that can be written. Its own values come later
/// and have precedence.
pub fn with_defaults(url: &str) -> String {
    let connect = if has_several_servers(url) { CONNECT_EACH } else { CONNECT };
    let connect = ("connect_timeout", connect.to_string());
    let others = DEFAULTS.map(|(name, value)| (name, value.to_owned()));
    let parameters: Vec<String> =
        std::iter::once(connect).chain(others).map(|(name, value)| format!("{name}={value}")).collect();
    if !is_url(url) {
        return format!("{} {url}", parameters.join(" "));
    }
    let defaults = parameters.join("&");
    match url.split_once('?') {
        None => format!("{url}?{defaults}"),
        Some((address, "")) => format!("{address}?{defaults}"),
        Some((address, given)) => format!("{address}?{defaults}&{given}"),
    }
}

/// Limits the wait for each server, whatever the URL or keyword string says itself.
pub fn with_limit(url: &str, seconds: u64) -> String {
    let limits = [("connect_timeout", seconds), ("tcp_user_timeout", seconds * 1000)];
    let limits = limits.map(|(name, value)| format!("{name}={value}"));
    let url = with_defaults(url);
    if is_url(&url) { format!("{url}&{}", limits.join("&")) } else { format!("{url} {}", limits.join(" ")) }
}

/// Whether the URL or keyword string names several servers, of which one is the primary.
fn has_several_servers(url: &str) -> bool {
    if !is_url(url) {
        let hosts = url.split_whitespace().filter(|part| part.starts_with("host=") || part.starts_with("hostaddr="));
        return hosts.into_iter().any(|hosts| hosts.contains(','));
    }
    let (_, after_scheme) = url.split_once("://").unwrap_or_default();
    let (address, parameters) = after_scheme.split_once('?').unwrap_or((after_scheme, ""));
    let hosts = address.split('/').next().and_then(|authority| authority.rsplit('@').next());
    let mut named = parameters.split('&').filter(|one| one.starts_with("host=") || one.starts_with("hostaddr="));
    hosts.is_some_and(|hosts| hosts.contains(','))
        || named.any(|hosts| hosts.contains(',') || hosts.to_ascii_lowercase().contains("%2c"))
}

/// The URL or keyword string of each server alone, in their order; the given one if there is one server.
pub fn each_server(url: &str) -> Vec<String> {
    let parameters = environment(url).unwrap_or_default();
    let [hosts, addresses, ports] = ["PGHOST", "PGHOSTADDR", "PGPORT"].map(|variable| list(&parameters, variable));
    let count = hosts.len().max(addresses.len());
    if count < 2 {
        return vec![url.to_owned()];
    }
    let alone = |place: usize| {
        let port = if ports.len() == 1 { ports.first() } else { ports.get(place) };
        let port = port.copied().map(|port| if port.is_empty() { DEFAULT_PORT } else { port });
        let address =
            [("host", hosts.get(place).copied()), ("hostaddr", addresses.get(place).copied()), ("port", port)];
        // Later values have precedence.
        address.into_iter().filter_map(|(name, value)| Some((name, value?))).fold(url.to_owned(), with_parameter)
    };
    (0..count).map(alone).collect()
}

/// The values of a variable, one for each server.
fn list<'a>(parameters: &'a [(String, String)], variable: &str) -> Vec<&'a str> {
    let value = parameters.iter().find(|(name, _)| name == variable);
    value.map(|(_, value)| value.split(',').collect()).unwrap_or_default()
}

/// Adds a parameter to a URL or keyword string.
fn with_parameter(url: String, (name, value): (&str, &str)) -> String {
    if !is_url(&url) {
        return format!("{url} {name}='{}'", value.replace('\\', r"\\").replace('\'', r"\'"));
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let value: String = value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("{url}{separator}{name}={value}")
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
        assert_eq!(
            without_secrets("postgresql://me:secret@h1:5432,h2,[::1]:5433/db?password=x"),
            "postgresql://h1:5432,h2,[::1]:5433/db"
        );
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
        for without in [
            "postgresql://u@h:5432/db",
            "postgresql:///db?host=/run",
            "host=h user=u",
            "postgresql://h1:5432,h2/db?user=a@b:c",
        ] {
            assert!(!has_password(without), "{without}");
        }
    }

    #[test]
    fn defaults_come_before_the_values_of_the_url() {
        let defaults = "keepalives_idle=5&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=10000&\
                        target_session_attrs=read-write";
        assert_eq!(with_defaults("postgresql://u@h/db"), format!("postgresql://u@h/db?connect_timeout=10&{defaults}"));
        assert_eq!(
            with_defaults("postgres://h/db?connect_timeout=3"),
            format!("postgres://h/db?connect_timeout=10&{defaults}&connect_timeout=3")
        );
        assert_eq!(
            with_defaults("host=h dbname=db"),
            format!("connect_timeout=10 {} host=h dbname=db", defaults.replace('&', " "))
        );
    }

    #[test]
    fn each_of_several_servers_has_less_time() {
        for several in [
            "postgresql://h1:5432,h2:5432/db",
            "postgres://me:se,cret@h1,h2/db",
            "postgresql:///db?host=/a,/b",
            "postgresql:///db?host=h1%2ch2&port=1,2",
            "host=h1,h2 dbname=db",
        ] {
            assert!(with_defaults(several).contains("connect_timeout=3"), "{several}");
        }
        for one in ["postgresql://me:se,cret@h/db", "postgresql://h/a,b?user=a,b", "host=h password=a,b"] {
            assert!(with_defaults(one).contains("connect_timeout=10"), "{one}");
        }
    }

    #[test]
    fn each_of_several_servers_has_a_url_of_its_own() {
        let host_and_port = |url: &str| {
            let parameters = environment(url).unwrap();
            let value = |variable: &str| {
                parameters.iter().find(|(name, _)| name == variable).map(|(_, value)| value.clone()).unwrap_or_default()
            };
            assert_eq!((value("PGDATABASE").as_str(), value("PGUSER").as_str()), ("db", "me"), "{url}");
            format!("{} {} {}", value("PGHOST"), value("PGHOSTADDR"), value("PGPORT"))
        };
        for (url, expected) in [
            ("postgresql://me:se,cret@h1:5433,h2,[::1]:5434/db", &["h1  5433", "h2  5432", "::1  5434"][..]),
            ("postgresql://me@h1,h2/db?connect_timeout=3", &["h1  5432", "h2  5432"][..]),
            ("postgres:///db?user=me&host=/run/a%20b%2c/c&port=5433", &["/run/a b  5433", "/c  5433"][..]),
            ("host=h1,h2 port=1,2 dbname=db user=me", &["h1  1", "h2  2"][..]),
            ("host='/it\\'s,h2' dbname=db user=me", &["/it's  ", "h2  "][..]),
            ("host=h1,h2 hostaddr=10.0.0.1,10.0.0.2 dbname=db user=me", &["h1 10.0.0.1 ", "h2 10.0.0.2 "][..]),
        ] {
            let found: Vec<String> = each_server(url).iter().map(|one| host_and_port(one)).collect();
            assert_eq!(found, expected, "{url}");
        }
        for one in ["postgresql://me@h:5433/db", "postgresql:///db?host=/run", "host=h dbname=db", "dbname=db"] {
            assert_eq!(each_server(one), [one]);
        }
    }

    #[test]
    fn a_limit_overrides_the_values_of_the_url() {
        assert!(
            with_limit("postgresql://h/db?connect_timeout=9", 5).ends_with("&connect_timeout=5&tcp_user_timeout=5000")
        );
        assert!(with_limit("host=h", 5).ends_with(" host=h connect_timeout=5 tcp_user_timeout=5000"));
    }
}
