//! Crate files by their checksum.
