//! Users and their rights: tokens, sessions, scopes, teams, rate limits, and the audit log.

pub mod administrator;
pub mod audit;
pub mod audit_alarms;
pub mod authentication;
pub mod buckets;
pub mod caller;
pub mod new_token;
pub mod provenance;
pub mod rate_limits;
pub mod revocation;
pub mod role;
pub mod scope;
pub mod sessions;
pub mod teams;
pub mod tokens;
pub mod upload_allowance;
pub mod users;
