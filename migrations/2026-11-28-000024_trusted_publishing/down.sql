DROP INDEX api_tokens_trusted;
-- They belong to machine users, who cannot have other tokens.
DELETE FROM api_tokens WHERE trusted IS NOT NULL;
ALTER TABLE api_tokens DROP COLUMN trusted;
ALTER TABLE staged_versions DROP COLUMN trusted, DROP COLUMN owner_if_new;
ALTER TABLE versions DROP COLUMN provenance;
ALTER TABLE crates DROP COLUMN trustpub_only;
ALTER TABLE users DROP COLUMN machine_issuer, DROP COLUMN is_machine;
DROP TABLE used_id_tokens;
DROP TABLE trusted_publishers;
DROP TABLE trusted_issuers;
-- A token without any other scope may read, as before.
UPDATE api_tokens SET scopes = coalesce(nullif(array_remove(scopes, 'trusted-publishing'), '{}'), ARRAY['read'])
WHERE 'trusted-publishing' = ANY (scopes);
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'read']);
UPDATE schema_compatibility SET oldest = '20261128000023';
