//! Crates with large index lines, and many of them.
