DROP INDEX jobs_laps;
DROP INDEX jobs_in_claim_order;
ALTER TABLE jobs DROP COLUMN lap;
CREATE INDEX jobs_in_claim_order ON jobs (queue, priority DESC, id) WHERE turn IS NOT FALSE;

DROP INDEX api_tokens_created_by_token;
ALTER TABLE api_tokens DROP COLUMN created_by_token;
