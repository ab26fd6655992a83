-- What a publish and a yank read of their crate does not grow with the number of its versions.

-- The file of a crate in the index whose content is exactly the effective state of its versions: its git blob id, its
-- size in bytes, and the highest id of a version in it. They are written together with the effective state. Null: not
-- known, which is always safe.
ALTER TABLE crates
    ADD COLUMN index_blob text,
    ADD COLUMN index_bytes bigint,
    ADD COLUMN index_last_id integer;

-- The versions that are not as desired, now those of one crate.
DROP INDEX versions_not_as_desired;
CREATE INDEX versions_not_as_desired ON versions (crate_id, id)
    WHERE state <> 'deleted' AND (effective_yanked IS DISTINCT FROM desired_yanked OR deletion_requested_at IS NOT NULL);

-- Crates whose texts and search document are to be written. Each change of the effective state of such a crate raises the
-- generation, so that an older description does not end the wait. A crate that does not exist any longer is no obstacle,
-- so there is no foreign key, which each publish would have to check.
CREATE TABLE pending_descriptions (
    crate_id integer PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 0,
    -- Whether the columns that follow from the crate's versions are right already, so that not all of them are read.
    is_counted boolean NOT NULL DEFAULT false
);

-- Older programs would neither note the files that they write nor count downloads.
UPDATE schema_compatibility SET oldest = '20261127000020';
