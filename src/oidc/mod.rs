//! OpenID Connect: ID tokens, those of CI systems and those of identity providers, at which people sign in.
//!
//! | file | what |
//! |---|---|
//! | [`accounts`] | the numbers of accounts, which outlive their names |
//! | [`discovery`] | the discovery document of an issuer |
//! | [`http`] | requests to issuers |
//! | [`id_token`] | an ID token, read and verified |
//! | [`keys`] | the keys of issuers, fetched and cached |
//! | [`mapping`] | from the claims of an account to a user of this registry |
//! | [`provider`] | sign-in at an identity provider |
//! | `signatures` | the signatures, checked by ring |

pub mod accounts;
pub mod discovery;
pub mod http;
pub mod id_token;
pub mod keys;
pub mod mapping;
pub mod provider;
mod signatures;

/// The claims of a verified ID token.
pub type Claims = serde_json::Map<String, serde_json::Value>;
