-- Versions of upstreams whose crate files are never removed from the cache.
CREATE TABLE upstream_pins (
    id serial PRIMARY KEY,
    upstream text NOT NULL CHECK (upstream ~ '^[a-z0-9-]{1,40}$'),
    -- In lower case with `_`.
    canonical_name text NOT NULL CHECK (canonical_name <> ''),
    -- The spelling of the upstream.
    crate_name text NOT NULL CHECK (crate_name <> ''),
    version text NOT NULL CHECK (version <> ''),
    checksum bytea NOT NULL CHECK (length(checksum) = 32),
    -- A reason, or where the pin comes from, such as a lock file.
    reason text NOT NULL CHECK (reason <> ''),
    -- `account@host` of an operator.
    actor text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (upstream, canonical_name, version)
);
CREATE INDEX upstream_pins_checksum ON upstream_pins (checksum);
