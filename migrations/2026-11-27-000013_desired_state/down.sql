ALTER TABLE versions RENAME COLUMN desired_yanked TO wanted_yanked;
ALTER TABLE versions RENAME COLUMN deletion_requested_at TO deletion_wanted_at;
ALTER INDEX versions_not_as_desired RENAME TO versions_not_as_wanted;
UPDATE schema_compatibility SET oldest = '20261121000010';
