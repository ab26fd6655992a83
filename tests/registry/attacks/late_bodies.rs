//! Requests whose last byte arrives after the token was revoked.
