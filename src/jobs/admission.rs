//! The operator's rules for publishing and deleting, beside the rights of each crate's owners.

use std::time::Duration;

use super::delete_crate::OWNERS_WINDOW;
use crate::database::access::rate_limits::RateLimits;
use crate::database::access::upload_allowance::UploadAllowance;

/// Who may publish crates that do not exist yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewCrates {
    #[default]
    Anyone,
    Admins,
}

/// The operator's rules. By default every user may publish without limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    pub new_crates: NewCrates,
    /// Whether users whom owners add to a crate are invited, and become owners when they accept.
    pub owner_invitations: bool,
    pub rate_limits: RateLimits,
    /// None: no limit.
    pub upload_allowance: Option<UploadAllowance>,
    /// How long after the creation of a crate its owners may delete it; zero: never.
    pub crate_deletion_window: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            new_crates: NewCrates::default(),
            owner_invitations: false,
            rate_limits: RateLimits::default(),
            upload_allowance: None,
            crate_deletion_window: OWNERS_WINDOW,
        }
    }
}
