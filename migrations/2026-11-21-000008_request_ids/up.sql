-- The name of the request that asked for a job, as the log and `X-Request-Id` have it. Null for what no request asked for,
-- and for what an older program enqueues.
ALTER TABLE jobs ADD COLUMN request_id text;
ALTER TABLE dead_jobs ADD COLUMN request_id text;
ALTER TABLE job_history ADD COLUMN request_id text;
