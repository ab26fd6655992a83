-- Who downloaded which crate file, for as long as --download-log-retention says. The rows are only inserted, and deleted by age:
-- no key, since each index costs as much as a row. They name users and tokens as they were, and stay when those are removed.
CREATE TABLE download_log (
    at timestamptz NOT NULL,
    -- Empty for a crate of this registry.
    upstream text NOT NULL CHECK (length(upstream) <= 40),
    -- In lower case with `_`.
    canonical_name text NOT NULL CHECK (canonical_name <> ''),
    crate_name text NOT NULL CHECK (crate_name <> ''),
    version text NOT NULL CHECK (version <> ''),
    checksum bytea NOT NULL CHECK (octet_length(checksum) = 32),
    -- Null without a token.
    login text,
    token_id integer,
    token_name text,
    address text,
    -- Its first 100 characters.
    user_agent text,
    -- False if the registry refused it.
    is_delivered boolean NOT NULL,
    CHECK ((login IS NULL) = (token_id IS NULL) AND (login IS NULL) = (token_name IS NULL))
);

CREATE INDEX download_log_of_version ON download_log (canonical_name, version, upstream, at);
CREATE INDEX download_log_at ON download_log (at);

-- What was logged since when: a row for each change.
CREATE TABLE download_log_settings (
    id serial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Nothing, downloads with a token, or all.
    scope text NOT NULL CHECK (scope IN ('none', 'tokens', 'all')),
    -- Of `none`, the one before, which still counts for the rows that are left.
    retention_seconds bigint NOT NULL CHECK (retention_seconds > 0),
    -- Downloads that could not be logged, and when that was last.
    lost bigint NOT NULL DEFAULT 0 CHECK (lost >= 0),
    lost_at timestamptz,
    CHECK ((lost = 0) = (lost_at IS NULL))
);

-- Those on crates of other registries; the index `dependencies_on` has the others.
CREATE INDEX dependencies_elsewhere ON dependencies (canonical_name, version_id) WHERE registry IS NOT NULL;
