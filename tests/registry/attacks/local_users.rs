//! Other users of the same machine.
