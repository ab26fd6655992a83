//! The operator's rules for publishing, beside the rights of each crate's owners.

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    pub new_crates: NewCrates,
    pub rate_limits: RateLimits,
    /// None: no limit.
    pub upload_allowance: Option<UploadAllowance>,
}
