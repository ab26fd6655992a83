-- The state that a request asks for is called "desired" everywhere. Older programs use the former names, so they cannot
-- share the database from here on.
ALTER TABLE versions RENAME COLUMN wanted_yanked TO desired_yanked;
ALTER TABLE versions RENAME COLUMN deletion_wanted_at TO deletion_requested_at;
ALTER INDEX versions_not_as_wanted RENAME TO versions_not_as_desired;
UPDATE schema_compatibility SET oldest = '20261127000013';
