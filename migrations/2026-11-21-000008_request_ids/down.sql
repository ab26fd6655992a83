ALTER TABLE job_history DROP COLUMN request_id;
ALTER TABLE dead_jobs DROP COLUMN request_id;
ALTER TABLE jobs DROP COLUMN request_id;
