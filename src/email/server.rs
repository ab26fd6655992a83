//! The server that takes the mails, as a URL.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// `smtps://USER:PASSWORD@HOST`, or `smtp://` for a connection that STARTTLS encrypts. It is shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpServer(Url);

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte.
    Tls,
    /// By STARTTLS; a server without it is refused.
    StartTls,
    None,
}

impl SmtpServer {
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub fn port(&self) -> u16 {
        let usual = if self.encryption() == Encryption::Tls { 465 } else { 587 };
        self.0.port().unwrap_or(usual)
    }

    pub fn encryption(&self) -> Encryption {
        match self.0.scheme() {
            "smtps" => Encryption::Tls,
            _ if self.is_plain() => Encryption::None,
            _ => Encryption::StartTls,
        }
    }

    /// User name and password, if the server wants them.
    pub fn credentials(&self) -> Option<(String, String)> {
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = self.0.password()?;
        Some((decoded(self.0.username()), decoded(password)))
    }

    fn is_plain(&self) -> bool {
        self.0.query() == Some("tls=none") || (self.0.query().is_none() && self.is_on_this_machine())
    }

    fn is_on_this_machine(&self) -> bool {
        match self.0.host_str().and_then(|host| Host::parse(host).ok()) {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => {
                name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => false,
        }
    }
}

const FORMS: &str = "use smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST:587 (encrypted by STARTTLS), or smtp://HOST?tls=none; \
                     characters such as @, :, / and % in user name and password are percent-encoded";

impl FromStr for SmtpServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| format!("not a URL of a mail server: {FORMS}"))?;
        let is_bare = matches!(url.path(), "" | "/") && url.fragment().is_none();
        let knows_query = match url.scheme() {
            "smtps" => url.query().is_none(),
            "smtp" => matches!(url.query(), None | Some("tls=none" | "tls=required")),
            _ => false,
        };
        if !is_bare || !knows_query || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("not a URL of a mail server: {FORMS}"));
        }
        if url.username().is_empty() != url.password().is_none() {
            return Err(format!("a user name needs a password, and a password a user name: {FORMS}"));
        }
        let server = Self(url);
        if server.encryption() == Encryption::None && server.credentials().is_some() && !server.is_on_this_machine() {
            return Err(
                "the password would cross the network without encryption: remove ?tls=none, or user name and password"
                    .to_owned(),
            );
        }
        Ok(server)
    }
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host(), self.port())
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpServer({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> SmtpServer {
        text.parse().unwrap()
    }

    #[test]
    fn connections_are_encrypted_unless_the_server_is_here_or_somebody_says_no() {
        for (url, port, encryption) in [
            ("smtps://mail.example.com", 465, Encryption::Tls),
            ("smtp://mail.example.com", 587, Encryption::StartTls),
            ("smtp://mail.example.com:25", 25, Encryption::StartTls),
            ("smtp://mail.example.com:25?tls=none", 25, Encryption::None),
            ("smtp://127.0.0.1:2525", 2525, Encryption::None),
            ("smtp://localhost:25", 25, Encryption::None),
            ("smtp://[::1]:25", 25, Encryption::None),
            ("smtp://localhost:25?tls=required", 25, Encryption::StartTls),
            ("smtps://127.0.0.1", 465, Encryption::Tls),
        ] {
            assert_eq!((server(url).port(), server(url).encryption()), (port, encryption), "{url}");
        }
    }

    #[test]
    fn the_password_is_decoded_for_the_server_and_shown_nowhere() {
        let server = server("smtps://crates%40example.com:p%40ss%3A%2F%25@mail.example.com");
        assert_eq!(server.credentials(), Some(("crates@example.com".to_owned(), "p@ss:/%".to_owned())));
        assert_eq!(format!("{server} {server:?}"), "mail.example.com:465 SmtpServer(mail.example.com:465)");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for wrong in [
            "",
            "mail.example.com",
            "mail.example.com:25",
            "https://mail.example.com",
            "smtp://",
            "smtp://mail.example.com/path",
            "smtp://mail.example.com?tls=opportunistic",
            "smtps://mail.example.com?tls=none",
        ] {
            assert!(wrong.parse::<SmtpServer>().unwrap_err().starts_with("not a URL of a mail server: use"), "{wrong}");
        }
        let error = "smtp://ann@mail.example.com".parse::<SmtpServer>().unwrap_err();
        assert!(error.starts_with("a user name needs a password"), "{error}");
        let error = "smtp://ann:secret@mail.example.com?tls=none".parse::<SmtpServer>().unwrap_err();
        assert!(error.contains("without encryption") && !error.contains("secret"), "{error}");
        assert!("smtp://ann:secret@127.0.0.1:25".parse::<SmtpServer>().is_ok());
    }
}
