-- Order by key, lookup by key, and a history that also tells of attempts that failed.

-- For kinds that run in order of arrival within a key: true for the one row of its key whose turn it is, false for those
-- behind it. Null for kinds without order.
ALTER TABLE jobs ADD COLUMN turn boolean;

-- At most one row of an ordered key may be claimed, whatever any program does.
CREATE UNIQUE INDEX jobs_turn ON jobs (kind, key) WHERE turn;
-- Who is next in a key, and which row a deduplicated request wakes.
CREATE INDEX jobs_by_key ON jobs (kind, key, id);
-- The claim walks over no row whose turn it is not, however many wait behind one key.
DROP INDEX jobs_in_claim_order;
CREATE INDEX jobs_in_claim_order ON jobs (queue, priority DESC, id) WHERE turn IS NOT FALSE;

ALTER TABLE dead_jobs ADD COLUMN ordered boolean NOT NULL DEFAULT false;

-- Order of arrival of the receipts, which is very nearly their order in time: listing and pruning follow it.
ALTER TABLE job_history ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
-- Why the attempt failed.
ALTER TABLE job_history ADD COLUMN error text;
ALTER TABLE job_history DROP CONSTRAINT job_history_outcome_check;
ALTER TABLE job_history ADD CONSTRAINT job_history_outcome_check
    CHECK (outcome IN ('done', 'failed', 'lost', 'dead', 'retried', 'discarded'));
DROP INDEX job_history_by_time;
