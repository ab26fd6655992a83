//! Crate files of publishes that are refused or abandoned.
