//! The git index, which knows no database.
