//! What is left of the points in a build without them: nothing.

use std::time::Duration;

use super::{ArmError, Fault};

/// Refuses: there is nothing to arm.
pub fn arm(text: &str) -> Result<(), ArmError> {
    if text.is_empty() { Ok(()) } else { Err(ArmError::NotBuiltIn) }
}

/// Nothing.
#[inline(always)]
pub fn point(_name: &'static str) -> Result<(), Fault> {
    Ok(())
}

/// Nothing.
#[inline(always)]
pub fn point_after(_pause: Duration, _name: &'static str) {}
