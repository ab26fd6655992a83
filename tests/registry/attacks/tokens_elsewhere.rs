//! Tokens that would be sent to another host.
