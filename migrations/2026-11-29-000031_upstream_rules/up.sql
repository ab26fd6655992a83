-- What people have decided about crates and versions of upstreams.
CREATE TABLE upstream_rules (
    id serial PRIMARY KEY,
    upstream text NOT NULL CHECK (upstream ~ '^[a-z0-9-]{1,40}$'),
    -- In lower case with `_`.
    canonical_name text NOT NULL CHECK (canonical_name <> ''),
    -- The spelling of the decision.
    crate_name text NOT NULL CHECK (crate_name <> ''),
    -- Empty for all versions.
    version text NOT NULL,
    decision text NOT NULL CHECK (decision IN ('allow', 'block')),
    reason text NOT NULL CHECK (reason <> ''),
    -- A login, or `account@host` of an operator.
    actor text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (upstream, canonical_name, version)
);
