-- The index files of upstreams, where several machines share them.
CREATE SEQUENCE upstream_index_file_revisions;
CREATE TABLE upstream_index_files (
    upstream text NOT NULL CHECK (upstream ~ '^[a-z0-9-]{1,40}$'),
    path text NOT NULL CHECK (path <> ''),
    -- New with each content, and never that of another one.
    revision bigint NOT NULL DEFAULT nextval('upstream_index_file_revisions'),
    -- What is known of the file, as JSON: validators, times and first checksums.
    known text NOT NULL,
    -- With gzip.
    content bytea NOT NULL,
    PRIMARY KEY (upstream, path)
);
ALTER SEQUENCE upstream_index_file_revisions OWNED BY upstream_index_files.revision;
ALTER TABLE upstream_index_files ALTER content SET STORAGE EXTERNAL;

-- Which process asks an upstream for a file at this moment, and when the upstream last answered. It is written with each request
-- and may be lost: then the upstream is asked once more.
CREATE UNLOGGED TABLE upstream_requests (
    upstream text NOT NULL,
    -- A path of the index, or the SHA-256 of a crate file.
    subject text NOT NULL,
    holder bigint,
    leased_until timestamptz,
    checked_at timestamptz,
    -- Whether the answer was that there is no such file, and since when it is.
    is_absent boolean NOT NULL DEFAULT false,
    absent_since timestamptz,
    PRIMARY KEY (upstream, subject)
);
