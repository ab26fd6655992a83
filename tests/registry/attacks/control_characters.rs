//! Control and bidirectional characters in texts from outside.
