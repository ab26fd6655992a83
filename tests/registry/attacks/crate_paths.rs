//! Crate files that unpack differently in different programs or on different file systems.
