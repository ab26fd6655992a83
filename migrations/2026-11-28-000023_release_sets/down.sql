DROP INDEX versions_being_deleted;
DROP INDEX versions_release_set_id;
ALTER TABLE versions DROP COLUMN release_set_id;
DROP TABLE set_approvals;
DROP TABLE staging_rules;
DROP TABLE staged_changes;
DROP TABLE staged_versions;
DROP TABLE release_sets;
-- A token without any other scope may read, as before.
UPDATE api_tokens SET scopes = array_remove(array_remove(array_remove(scopes, 'stage-new'), 'stage-update'), 'approve')
WHERE scopes && ARRAY['stage-new', 'stage-update', 'approve']
    AND NOT scopes <@ ARRAY['stage-new', 'stage-update', 'approve'];
UPDATE api_tokens SET scopes = ARRAY['read'] WHERE scopes && ARRAY['stage-new', 'stage-update', 'approve'];
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'read']);
UPDATE schema_compatibility SET oldest = '20261127000020';
