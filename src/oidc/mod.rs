//! ID tokens of OpenID Connect issuers: their signature, their times, and the keys to check them with.
//!
//! | file | what |
//! |---|---|
//! | [`accounts`] | the numbers of accounts, which outlive their names |
//! | [`id_token`] | an ID token, read and verified |
//! | [`keys`] | the keys of issuers, fetched and cached |
//! | `signatures` | the signatures, checked by ring |

pub mod accounts;
pub mod id_token;
pub mod keys;
mod signatures;

/// The claims of a verified ID token.
pub type Claims = serde_json::Map<String, serde_json::Value>;
