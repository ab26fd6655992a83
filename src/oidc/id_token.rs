//! An ID token: what it says of itself, and its verification.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, decode, decode_header};
use serde_json::Value;

use super::Claims;
use super::signatures::{ALGORITHMS, install};

/// The longest ID token, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// How far the clocks of issuer and registry may differ, in seconds.
pub const LEEWAY: u64 = 60;
/// The longest value that an error repeats, in characters.
const MAX_SHOWN: usize = 200;

/// Why an ID token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    #[error("the ID token is longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("this is no ID token ({0}): send the JWT that the CI system issued, three parts with dots between them")]
    Malformed(String),
    #[error("the ID token is signed with {0}: it has to be RS256, ES256 or EdDSA")]
    Algorithm(String),
    #[error("the ID token does not name its key: its header needs `kid`")]
    NoKeyId,
    #[error("the ID token has no usable claim `{0}`: it is missing, or not of the type that it has to be")]
    Claim(&'static str),
    #[error("the signature of the ID token is not that of its issuer")]
    Signature,
    #[error(
        "the ID token is for the audience {found}, and this registry is `{expected}`: request it with the audience `{expected}`"
    )]
    Audience { found: String, expected: String },
    #[error("the ID token has expired: request it right before it is exchanged (the clock here is {0})")]
    Expired(String),
    #[error("the ID token is not valid yet: compare the clocks of issuer and registry (the clock here is {0})")]
    NotYet(String),
}

/// An ID token that says whose it is. None of that is verified.
pub struct Unverified<'a> {
    text: &'a str,
    pub issuer: String,
    pub kid: String,
    algorithm: Algorithm,
}

impl<'a> Unverified<'a> {
    pub fn read(text: &'a str) -> Result<Self, IdTokenError> {
        if text.len() > MAX_LENGTH {
            return Err(IdTokenError::TooLong);
        }
        let header = decode_header(text).map_err(|error| unreadable(text, &error))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(IdTokenError::Algorithm(format!("{:?}", header.alg)));
        }
        let kid = header.kid.filter(|kid| !kid.is_empty()).ok_or(IdTokenError::NoKeyId)?;
        let claims: TokenData<Claims> = jsonwebtoken::dangerous::insecure_decode(text)
            .map_err(|error| IdTokenError::Malformed(error.to_string()))?;
        // The database stores no such texts.
        if Value::from(claims.claims.clone()).to_string().contains("\\u0000") || kid.contains('\0') {
            return Err(IdTokenError::Malformed("it has a NUL character".to_owned()));
        }
        let issuer = text_of(&claims.claims, "iss").ok_or(IdTokenError::Claim("iss"))?;
        Ok(Self { text, issuer: issuer.to_owned(), kid, algorithm: header.alg })
    }

    /// Checks signature, audience and times, and returns the claims.
    pub fn verify(&self, keys: &[DecodingKey], audience: &str) -> Result<Claims, IdTokenError> {
        let mut refused = IdTokenError::Signature;
        for key in keys {
            match self.verify_by(key, audience) {
                Err(IdTokenError::Signature) => {}
                Err(other) => refused = other,
                verified => return verified,
            }
        }
        Err(refused)
    }

    fn verify_by(&self, key: &DecodingKey, audience: &str) -> Result<Claims, IdTokenError> {
        install();
        let mut validation = Validation::new(self.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let now = || chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let verified = decode::<Claims>(self.text, key, &validation);
        let claims = verified.map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => IdTokenError::Signature,
            ErrorKind::InvalidAudience => {
                IdTokenError::Audience { found: self.audience(), expected: audience.to_owned() }
            }
            ErrorKind::ExpiredSignature => IdTokenError::Expired(now()),
            ErrorKind::ImmatureSignature => IdTokenError::NotYet(now()),
            ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
                let known = ["exp", "aud", "sub", "iss", "nbf", "iat"];
                IdTokenError::Claim(known.into_iter().find(|known| *known == &**claim).unwrap_or("iss"))
            }
            _ => IdTokenError::Malformed(error.to_string()),
        })?;
        let issued = claims.get("iat").and_then(Value::as_u64).ok_or(IdTokenError::Claim("iat"))?;
        if issued > jsonwebtoken::get_current_timestamp() + LEEWAY {
            return Err(IdTokenError::NotYet(now()));
        }
        Ok(claims)
    }

    /// Its audience, for the refusal of another one.
    fn audience(&self) -> String {
        let claims: Option<TokenData<Claims>> = jsonwebtoken::dangerous::insecure_decode(self.text).ok();
        let audience = claims.and_then(|data| data.claims.get("aud").cloned());
        shown(&audience.map_or_else(
            || "none".to_owned(),
            |audience| match audience {
                Value::String(text) => format!("`{text}`"),
                other => format!("`{other}`"),
            },
        ))
    }
}

/// The header of `none` and of unknown algorithms cannot be read, and is named.
fn unreadable(text: &str, error: &jsonwebtoken::errors::Error) -> IdTokenError {
    use base64::Engine;
    let header = text.split('.').next().unwrap_or_default();
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).ok();
    let header: Option<Claims> = decoded.and_then(|decoded| serde_json::from_slice(&decoded).ok());
    match header.as_ref().and_then(|header| text_of(header, "alg")) {
        Some(algorithm) if algorithm.parse::<Algorithm>().is_err() => IdTokenError::Algorithm(shown(algorithm)),
        _ => IdTokenError::Malformed(shown(&error.to_string())),
    }
}

/// A claim that is a text.
pub fn text_of<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(MAX_SHOWN).filter(|character| !character.is_control()).collect();
    if text.chars().count() > MAX_SHOWN { short + "…" } else { short }
}
