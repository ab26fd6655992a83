//! The jobs of the registry.
