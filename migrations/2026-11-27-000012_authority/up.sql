-- Which token made a token, so that the descendants of a leaked one can be found and revoked. Null: an operator made it.
ALTER TABLE api_tokens ADD COLUMN created_by_token integer REFERENCES api_tokens (id);
CREATE INDEX api_tokens_created_by_token ON api_tokens (created_by_token) WHERE created_by_token IS NOT NULL;

-- The log has it for older tokens.
UPDATE api_tokens SET created_by_token = maker.id
FROM audit_log JOIN api_tokens AS maker ON maker.id = audit_log.token_id
WHERE audit_log.action = 'token-create' AND audit_log.detail->'token_id' = to_jsonb(api_tokens.id)
      AND maker.user_id = api_tokens.user_id AND maker.id < api_tokens.id;

-- RFC 3339 has years of four digits.
UPDATE api_tokens SET expires_at = '9999-12-31 23:59:59+00' WHERE expires_at >= '10000-01-01 00:00:00+00';

-- A deleted version keeps its number, its checksum and its index line. Its README and the rest of its description go.
UPDATE versions SET metadata = '{}', manifest = '{}' WHERE state = 'deleted' AND (metadata <> '{}' OR manifest <> '{}');

-- Fair turns: a queue is worked through lap by lap, and a lap has one job of each requester. Jobs of a program that does
-- not know laps get the first one.
ALTER TABLE jobs ADD COLUMN lap bigint NOT NULL DEFAULT 0;
DROP INDEX jobs_in_claim_order;
CREATE INDEX jobs_in_claim_order ON jobs (queue, priority DESC, lap, id) WHERE turn IS NOT FALSE;
-- The last lap of a requester.
CREATE INDEX jobs_laps ON jobs (queue, priority, left(coalesce(requested_by, ''), 200), lap);
