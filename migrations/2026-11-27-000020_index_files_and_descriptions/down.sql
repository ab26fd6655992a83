DROP TABLE pending_descriptions;
DROP INDEX versions_not_as_desired;
CREATE INDEX versions_not_as_desired ON versions (id)
    WHERE state <> 'deleted' AND (effective_yanked IS DISTINCT FROM desired_yanked OR deletion_requested_at IS NOT NULL);
ALTER TABLE crates DROP COLUMN index_last_id, DROP COLUMN index_bytes, DROP COLUMN index_blob;
UPDATE schema_compatibility SET oldest = '20261127000016';
