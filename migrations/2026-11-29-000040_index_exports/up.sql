-- The state of each copy of the index in a bucket.
CREATE TABLE index_exports (
    -- The bucket and its service.
    destination text PRIMARY KEY CHECK (octet_length(destination) BETWEEN 1 AND 2000),
    -- The commit whose files are all in the bucket; null until the first export is complete.
    commit_id text CHECK (commit_id ~ '^[0-9a-f]{40}$'),
    exported_at timestamptz,
    -- The number of the last attempt. It only grows, and each object has that of the attempt that wrote it.
    fence bigint NOT NULL DEFAULT 0,
    -- The files that changed after this commit are looked at again: a write of an attempt that was cut off may still arrive.
    settled_commit text CHECK (settled_commit ~ '^[0-9a-f]{40}$'),
    -- The commit that is settled next, and since when it is exported.
    settling_commit text CHECK (settling_commit ~ '^[0-9a-f]{40}$'),
    settling_since timestamptz,
    -- When they were last looked at.
    checked_at timestamptz,
    -- Objects were written whose paths were not handed to the invalidation: the next one is of everything.
    invalidates_all boolean NOT NULL DEFAULT false
);
