DROP TABLE job_history;
DROP TABLE dead_jobs;
DROP TABLE jobs;
