//! Operator commands, one file each.
