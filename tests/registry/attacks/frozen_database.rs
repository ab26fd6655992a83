//! Anonymous requests while the database does not answer.
