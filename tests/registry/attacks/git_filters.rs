//! Filters of git fetches that cost memory and time.
