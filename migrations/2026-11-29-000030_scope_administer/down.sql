-- A token without any other scope may read, as before.
UPDATE api_tokens SET scopes = coalesce(nullif(array_remove(scopes, 'administer'), '{}'), ARRAY['read'])
WHERE 'administer' = ANY (scopes);
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'trusted-publishing', 'read']);
UPDATE schema_compatibility SET oldest = '20261129000028';
