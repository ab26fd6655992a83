-- Older programs would accept these tokens.
UPDATE api_tokens SET revoked_at = now() FROM users
WHERE users.id = user_id AND disabled_at IS NOT NULL AND revoked_at IS NULL;
ALTER TABLE users DROP COLUMN removed_at, DROP COLUMN disabled_at;
UPDATE schema_compatibility SET oldest = '20261127000013';
