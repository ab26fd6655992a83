DROP INDEX dead_jobs_kind_key;
