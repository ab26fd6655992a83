//! Connections that send next to nothing.
