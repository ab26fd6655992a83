-- Where security advisories about the crates of an upstream come from, and what became of the last refresh.
CREATE TABLE advisory_sources (
    upstream text PRIMARY KEY CHECK (upstream ~ '^[a-z0-9-]{1,40}$'),
    -- A URL of a git repository, or a directory.
    source text NOT NULL CHECK (source <> ''),
    -- The source of the advisories that are known.
    known_source text,
    -- The commit that they were read from.
    revision text,
    -- Rises when the advisories change. It begins at a time, so that a source that is named anew has another one than before.
    generation bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The last refresh.
    checked_at timestamptz,
    -- The last refresh that succeeded.
    refreshed_at timestamptz,
    -- Why the last refresh failed.
    problem text,
    -- How many files could not be read, and the first of them with their problems.
    skipped integer NOT NULL DEFAULT 0,
    skipped_files jsonb NOT NULL DEFAULT '[]'
);

-- What advisories say, a row for each crate that one is about.
CREATE TABLE advisories (
    id bigserial PRIMARY KEY,
    upstream text NOT NULL CHECK (upstream ~ '^[a-z0-9-]{1,40}$'),
    advisory_id text NOT NULL CHECK (advisory_id <> ''),
    -- In lower case with `_`.
    canonical_name text NOT NULL CHECK (canonical_name <> ''),
    crate_name text NOT NULL CHECK (crate_name <> ''),
    title text NOT NULL,
    url text,
    severity text NOT NULL CHECK (severity IN ('unrated', 'low', 'medium', 'high', 'critical')),
    -- The kind of one that is about no vulnerability.
    informational text,
    -- Which versions are affected, and which mend it.
    ranges jsonb NOT NULL,
    -- The whole of it in the form of OSV.
    document jsonb NOT NULL,
    -- The SHA-256 of all that.
    digest text NOT NULL,
    -- Since when it does not count any more, in its own words.
    withdrawn_at timestamptz,
    -- Since when its source does not have it any more.
    vanished_at timestamptz,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (upstream, advisory_id, canonical_name)
);

CREATE INDEX advisories_of_a_crate ON advisories (upstream, canonical_name);
CREATE INDEX advisories_by_id ON advisories (advisory_id);
