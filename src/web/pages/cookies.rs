//! The cookies of pages: one of a session, one of the sign-in forms, and one of a sign-in at an identity provider, which last as long as
//! these take. Readers get none.
//!
//! Over HTTPS, the prefix of a cookie's name makes browsers refuse one that another host, or a page over plain HTTP, has set. Source:
//! RFC 6265bis, section 4.1.3.

use axum::http::{HeaderMap, HeaderValue, header};

use super::links::Links;
use crate::database::access::sessions::{LONGEST, SessionSecret};

const SESSION: Name = Name { plain: "supercargo_session", path: "/" };
const FORM: Name = Name { plain: "supercargo_form", path: "/" };
const FLOW: Name = Name { plain: "supercargo_flow", path: "/" };
/// How long the sign-in form may take, in seconds.
const FORM_SECONDS: i64 = 60 * 60;

struct Name {
    plain: &'static str,
    path: &'static str,
}

impl Name {
    /// The whole name. A cookie for the whole host has another prefix than one for a path.
    fn whole(&self, links: &Links) -> String {
        let prefix = match (is_secure(links), links.to(self.path).as_str()) {
            (false, _) => "",
            (true, "/") => "__Host-",
            (true, _) => "__Secure-",
        };
        format!("{prefix}{}", self.plain)
    }

    /// The values of this name. Other cookies of the host may be anything.
    fn values<'a>(&self, links: &Links, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let name = self.whole(links);
        let pairs =
            headers.get_all(header::COOKIE).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
        pairs.filter(move |(given, _)| *given == name).map(|(_, value)| value)
    }

    /// A cookie that scripts cannot read and that pages of other sites do not send.
    fn cookie(&self, links: &Links, value: &str, seconds: i64) -> Option<HeaderValue> {
        let secure = if is_secure(links) { "; Secure" } else { "" };
        let (name, path) = (self.whole(links), links.to(self.path));
        let cookie = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::try_from(cookie).ok()
    }
}

fn is_secure(links: &Links) -> bool {
    links.base_url().starts_with("https://")
}

/// The session that a request names, if it can be one.
pub fn session(links: &Links, headers: &HeaderMap) -> Option<SessionSecret> {
    SESSION.values(links, headers).find_map(SessionSecret::parse)
}

/// The secret of the sign-in form that a request has.
pub fn form(links: &Links, headers: &HeaderMap) -> Option<SessionSecret> {
    FORM.values(links, headers).find_map(SessionSecret::parse)
}

/// The sign-in at a provider that has begun in this browser.
pub fn flow<'a>(links: &Links, headers: &'a HeaderMap) -> Option<&'a str> {
    FLOW.values(links, headers).find(|value| value.contains('.'))
}

/// Makes the browser keep a session.
pub fn keep_session(links: &Links, secret: &SessionSecret) -> Option<HeaderValue> {
    SESSION.cookie(links, secret.reveal(), LONGEST.num_seconds())
}

pub fn forget_session(links: &Links) -> Option<HeaderValue> {
    SESSION.cookie(links, "", 0)
}

pub fn keep_form(links: &Links, secret: &SessionSecret) -> Option<HeaderValue> {
    FORM.cookie(links, secret.reveal(), FORM_SECONDS)
}

pub fn forget_form(links: &Links) -> Option<HeaderValue> {
    FORM.cookie(links, "", 0)
}

pub fn keep_flow(links: &Links, value: &str, seconds: i64) -> Option<HeaderValue> {
    FLOW.cookie(links, value, seconds)
}

pub fn forget_flow(links: &Links) -> Option<HeaderValue> {
    FLOW.cookie(links, "", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_this_registry_alone() {
        let secret = SessionSecret::random().unwrap();
        let kept = |url: &str| keep_session(&Links::new(url), &secret).unwrap().to_str().unwrap().to_owned();
        let expected = |name: &str, path: &str, end: &str| {
            format!("{name}={}; Path={path}; Max-Age=604800; HttpOnly; SameSite=Strict{end}", secret.reveal())
        };
        assert_eq!(kept("https://host.example"), expected("__Host-supercargo_session", "/", "; Secure"));
        assert_eq!(
            kept("https://host.example/crates"),
            expected("__Secure-supercargo_session", "/crates/", "; Secure")
        );
        assert_eq!(kept("http://host"), expected("supercargo_session", "/", ""));
        let form = keep_form(&Links::new("https://host.example"), &secret).unwrap();
        assert!(form.to_str().unwrap().starts_with("__Host-supercargo_form="), "{form:?}");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let secret = SessionSecret::random().unwrap();
        let headers = |name: &str| {
            let cookies = format!("a=b; {name}={}", secret.reveal());
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(cookies).unwrap())])
        };
        let (plain, https) = (Links::new("http://host"), Links::new("https://host"));
        assert_eq!(session(&plain, &headers("supercargo_session")).unwrap().reveal(), secret.reveal());
        assert!(form(&plain, &headers("supercargo_session")).is_none());
        assert_eq!(session(&https, &headers("__Host-supercargo_session")).unwrap().reveal(), secret.reveal());
        // Another cookie, and one of the same name before it, may be anything.
        let cookies =
            [b"a=\xe4; supercargo_session=x; supercargo_session=".as_slice(), secret.reveal().as_bytes()].concat();
        let odd = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&cookies).unwrap())]);
        assert_eq!(session(&plain, &odd).unwrap().reveal(), secret.reveal());
        // Another host of the same domain can set one of this name.
        assert!(session(&https, &headers("supercargo_session")).is_none());
    }
}
