//! Texts that a database index cannot hold.
