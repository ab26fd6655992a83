//! Compressed bodies of git fetches.
