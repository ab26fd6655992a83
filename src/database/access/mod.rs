//! Users and what they may do: tokens, scopes, teams, rate limits, and the audit log.

pub mod audit;
pub mod caller;
pub mod rate_limits;
pub mod scope;
pub mod teams;
pub mod tokens;
pub mod upload_allowance;
pub mod users;
