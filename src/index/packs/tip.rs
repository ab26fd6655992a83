//! Chains of deltas in a pack that is being written.

/// The longest chain. git makes chains of this length as well.
pub(super) const LONGEST_CHAIN: usize = 50;

/// Where an object is in a pack that is being written, and how many deltas lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    pub place: usize,
    pub chain: usize,
}
