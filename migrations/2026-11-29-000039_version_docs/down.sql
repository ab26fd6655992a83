-- A token without any other scope may read, as before.
UPDATE api_tokens SET scopes = coalesce(nullif(array_remove(scopes, 'publish-docs'), '{}'), ARRAY['read'])
WHERE 'publish-docs' = ANY (scopes);
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'trusted-publishing', 'administer', 'read']);
DROP TABLE docs_key;
DROP TABLE version_docs;
UPDATE schema_compatibility SET oldest = '20261129000030';
