-- The documentation of a version: an archive in the crate store, and the places of the files in it.
CREATE TABLE version_docs (
    version_id integer PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
    -- The SHA-256 of the archive.
    checksum bytea NOT NULL CHECK (length(checksum) = 32),
    -- In bytes.
    size bigint NOT NULL CHECK (size > 0),
    files integer NOT NULL CHECK (files > 0),
    unpacked_size bigint NOT NULL CHECK (unpacked_size >= 0),
    -- The directory of the crate, to which the root of its documentation leads.
    directory text NOT NULL CHECK (directory <> ''),
    -- JSON, compressed with zstd.
    entries bytea NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX version_docs_checksum ON version_docs (checksum);

-- The key of the links with which people who have signed in read the documentation of a private registry.
CREATE TABLE docs_key (
    is_the_only_one boolean PRIMARY KEY DEFAULT true CHECK (is_the_only_one),
    key bytea NOT NULL CHECK (length(key) = 32)
);
INSERT INTO docs_key (key)
SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- A token with which CI uploads documentation.
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'trusted-publishing', 'publish-docs', 'administer', 'read']);

-- Older programs do not know the scope, and would move the archives to the quarantine, as files that no version needs.
UPDATE schema_compatibility SET oldest = '20261129000039';
