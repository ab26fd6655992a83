-- The status of a version looks for the dead jobs of its crate.
CREATE INDEX dead_jobs_kind_key ON dead_jobs (kind, key);
