-- What the older schema has no word for goes; the receipts of what was done stay.
DELETE FROM job_history WHERE outcome NOT IN ('done', 'discarded');
CREATE INDEX job_history_by_time ON job_history (finished_at);
ALTER TABLE job_history DROP CONSTRAINT job_history_outcome_check;
ALTER TABLE job_history ADD CONSTRAINT job_history_outcome_check CHECK (outcome IN ('done', 'discarded'));
ALTER TABLE job_history DROP COLUMN error;
ALTER TABLE job_history DROP COLUMN seq;

ALTER TABLE dead_jobs DROP COLUMN ordered;

DROP INDEX jobs_in_claim_order;
DROP INDEX jobs_by_key;
DROP INDEX jobs_turn;
ALTER TABLE jobs DROP COLUMN turn;
CREATE INDEX jobs_in_claim_order ON jobs (queue, priority DESC, id);
