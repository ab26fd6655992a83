//! Removal of secrets from URLs that are shown or logged.

/// A text without the user names and passwords of the URLs in it.
pub fn userinfo(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        rest = &after[userinfo_of(after).len()..];
    }
    shown + rest
}

/// A URL without user name, password, query and fragment. Parameters of a query may be passwords.
pub fn url(url: &str) -> String {
    let mut shown = userinfo(url);
    shown.truncate(shown.find(['?', '#']).unwrap_or(shown.len()));
    shown
}

/// A message about a value, which may quote it, without the user names and passwords of the value.
pub fn quoted(message: &str, value: &str) -> String {
    let mut secrets = value.split("://").skip(1).map(userinfo_of).filter(|secret| !secret.is_empty());
    if secrets.any(|secret| message.contains(secret)) { userinfo(message) } else { message.to_owned() }
}

/// Whether a URL has a password before its host.
pub fn has_password(url: &str) -> bool {
    url.split_once("://").is_some_and(|(_, after)| userinfo_of(after).contains(':'))
}

/// The user name and password, up to and including the `@`, of a URL that is given without its scheme.
///
/// They end before the path. A password that holds a `/`, `?` or `#` is a mistake, since it has to be percent-encoded,
/// but must not be shown either: what stands where host and port should be is then no host with a number for its port.
/// A URL of PostgreSQL may have several hosts.
fn userinfo_of(after_scheme: &str) -> &str {
    let url = after_scheme.split(char::is_whitespace).next().unwrap_or_default();
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let at = authority.rfind('@');
    let host = at.map_or(authority, |at| &authority[at + 1..]);
    let is_complete = at.is_none() || !host.is_empty();
    let end = if is_complete && host.split(',').all(has_port_of_digits) { at } else { url.rfind('@') };
    end.map_or("", |at| &url[..=at])
}

/// Whether what follows the last `:` of a host can be a port; true without one. An IPv6 address stands in brackets.
fn has_port_of_digits(host: &str) -> bool {
    let after_address = host.rsplit(']').next().unwrap_or_default();
    after_address.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_user_and_no_password() {
        for (text, shown) in [
            ("fatal:https://me:p@ss@host:1/i@x'", "fatal:https://host:1/i@x'"),
            ("https://host/a@b", "https://host/a@b"),
            ("https://host:80/a@b https://[::1]/a@b", "https://host:80/a@b https://[::1]/a@b"),
            ("git@host:i", "git@host:i"),
            ("postgresql:///db?user=a@b postgresql://u@/db", "postgresql:///db?user=a@b postgresql:///db"),
            ("postgresql://me:secret@h1:5432,h2/db?user=a@b", "postgresql://h1:5432,h2/db?user=a@b"),
            ("from ssh://a:b@c to https://d:e@f/g", "from ssh://c to https://f/g"),
        ] {
            assert_eq!(userinfo(text), shown);
        }
    }

    #[test]
    fn a_password_that_is_not_percent_encoded_is_not_shown() {
        for secret in ["se/cret", "se?cret", "se#cret", "se@cret", "se@/cret", "se,c/ret"] {
            let shown = userinfo(&format!("https://me:{secret}@host/path"));
            assert_eq!(shown, "https://host/path");
            assert!(has_password(&format!("https://me:{secret}@host/path")));
        }
    }

    #[test]
    fn a_message_is_shown_without_the_secrets_of_the_value_that_it_quotes() {
        let message = "`https://me:secret@host` is wrong: write https://KEY@host";
        assert_eq!(quoted(message, "https://me:secret@host,x"), "`https://host` is wrong: write https://host");
        let message = "not a DSN: write https://KEY@host";
        for value in ["https://secret@host", "secret", ""] {
            assert_eq!(quoted(message, value), message);
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        assert_eq!(url("postgresql://me:secret@host:5432/db?password=x"), "postgresql://host:5432/db");
        assert_eq!(url("postgresql://me:se?cret@host/db?password=x"), "postgresql://host/db");
        assert_eq!(url("https://host/a#b"), "https://host/a");
    }
}
