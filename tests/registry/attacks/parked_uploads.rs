//! Uploads that are begun and not finished.
