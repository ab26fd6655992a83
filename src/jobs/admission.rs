//! What an operator decided about who may publish what, beside what each crate's owners decide.

use crate::database::access::rate_limits::RateLimits;
use crate::database::access::upload_allowance::UploadAllowance;

/// Who may publish crates that don't exist yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewCrates {
    #[default]
    Anyone,
    Admins,
}

/// The operator's decisions. Without any everybody may publish, as often as they like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    pub new_crates: NewCrates,
    pub rate_limits: RateLimits,
    /// None: users may upload as much as they like.
    pub upload_allowance: Option<UploadAllowance>,
}
