ALTER TABLE web_sessions DROP COLUMN browser, DROP COLUMN address, DROP COLUMN flow_at, DROP COLUMN flow_sha256, DROP COLUMN proven_at, DROP COLUMN id;
DROP TABLE device_requests;
ALTER TABLE api_tokens DROP COLUMN renewable_until, DROP COLUMN renewal_sha256;
DROP INDEX api_tokens_sign_in;
-- Their sessions end. Other tokens and the audit log refer to them, so they stay.
DELETE FROM web_sessions USING api_tokens WHERE api_tokens.id = token_id AND sign_in IS NOT NULL;
UPDATE api_tokens SET revoked_at = now() WHERE sign_in IS NOT NULL AND revoked_at IS NULL;
ALTER TABLE api_tokens DROP COLUMN sign_in;
ALTER TABLE team_members DROP COLUMN issuer;
ALTER TABLE users DROP COLUMN role;
DROP TABLE sign_in_failures;
DROP TABLE one_time_links;
DROP TABLE passwords;
DROP TABLE identities;
UPDATE schema_compatibility SET oldest = '20261128000024';
