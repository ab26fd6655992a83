-- A token with which a program of an admin changes users, teams and names.
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'trusted-publishing', 'administer', 'read']);

-- Older programs do not know the scope.
UPDATE schema_compatibility SET oldest = '20261129000030';
