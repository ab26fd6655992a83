//! Tokens made by a token that is revoked afterwards.
