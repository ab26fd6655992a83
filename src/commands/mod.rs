//! What each process is made of.
