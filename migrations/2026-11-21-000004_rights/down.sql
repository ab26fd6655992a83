DROP INDEX versions_not_as_wanted;
-- The older program knows no deleted versions. Their lines are gone from the index already.
DELETE FROM versions WHERE state = 'deleted';
ALTER TABLE versions
    DROP CONSTRAINT versions_deletion_check,
    DROP CONSTRAINT versions_state_check,
    ADD CONSTRAINT versions_state_check CHECK (state IN ('queued', 'published')),
    DROP COLUMN deletion_wanted_at,
    DROP COLUMN deletion_reason;
CREATE INDEX versions_not_as_wanted ON versions (id) WHERE effective_yanked IS DISTINCT FROM wanted_yanked;

DROP TABLE audit_log;
DROP TABLE rate_limit_buckets;
DROP TABLE reserved_names;
ALTER TABLE crates
    DROP COLUMN max_crate_size,
    DROP COLUMN max_unpacked_size,
    DROP COLUMN max_features,
    DROP COLUMN max_dependencies;
DROP TABLE crate_team_owners;
DROP TABLE team_members;
DROP TABLE teams;
-- The older program would take a restricted token for an unrestricted one.
UPDATE api_tokens SET revoked_at = now()
WHERE revoked_at IS NULL AND (scopes IS NOT NULL OR crate_patterns IS NOT NULL OR expires_at IS NOT NULL);
ALTER TABLE api_tokens DROP COLUMN scopes, DROP COLUMN crate_patterns, DROP COLUMN expires_at;
ALTER TABLE users DROP COLUMN is_admin;
