//! Malformed and oversized HTTP.
