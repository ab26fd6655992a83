//! Requests that git does not understand.
