//! The cookies of pages: one of a session, and one of the sign-in form, which lasts as long as it takes to fill it in. Readers
//! get none.

use axum::http::{HeaderMap, HeaderValue, header};

use super::links::Links;
use crate::database::access::sessions::{LONGEST, SessionSecret};

const SESSION: &str = "supercargo_session";
const FORM: &str = "supercargo_form";
/// How long the sign-in form may take, in seconds.
const FORM_SECONDS: i64 = 60 * 60;

/// The session that a request names, if it can be one.
pub fn session(headers: &HeaderMap) -> Option<SessionSecret> {
    named(headers, SESSION).and_then(SessionSecret::parse)
}

/// The secret of the sign-in form that a request has.
pub fn form(headers: &HeaderMap) -> Option<SessionSecret> {
    named(headers, FORM).and_then(SessionSecret::parse)
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(given, _)| *given == name).map(|(_, value)| value).next()
}

/// Makes the browser keep a session.
pub fn keep_session(links: &Links, secret: &SessionSecret) -> Option<HeaderValue> {
    cookie(links, "/", SESSION, secret.reveal(), LONGEST.num_seconds())
}

pub fn forget_session(links: &Links) -> Option<HeaderValue> {
    cookie(links, "/", SESSION, "", 0)
}

pub fn keep_form(links: &Links, secret: &SessionSecret) -> Option<HeaderValue> {
    cookie(links, "/sign-in", FORM, secret.reveal(), FORM_SECONDS)
}

pub fn forget_form(links: &Links) -> Option<HeaderValue> {
    cookie(links, "/sign-in", FORM, "", 0)
}

/// A cookie that scripts cannot read and that pages of other sites do not send.
fn cookie(links: &Links, path: &str, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if links.base_url().starts_with("https://") { "; Secure" } else { "" };
    let cookie =
        format!("{name}={value}; Path={}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", links.to(path));
    HeaderValue::try_from(cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_this_registry_alone() {
        let secret = SessionSecret::random().unwrap();
        let kept = keep_session(&Links::new("https://host.example/crates"), &secret).unwrap();
        let expected = format!(
            "supercargo_session={}; Path=/crates/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure",
            secret.reveal()
        );
        assert_eq!(kept, expected);
        assert!(!keep_session(&Links::new("http://host"), &secret).unwrap().to_str().unwrap().contains("Secure"));
        let headers = HeaderMap::from_iter([(
            header::COOKIE,
            HeaderValue::try_from(format!("a=b; supercargo_session={}", secret.reveal())).unwrap(),
        )]);
        assert_eq!(session(&headers).unwrap().reveal(), secret.reveal());
        assert!(form(&headers).is_none());
    }
}
