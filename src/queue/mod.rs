//! A job queue on PostgreSQL row locks, which knows no job by name.
