-- By what the last `serve` judges versions of upstreams, for commands that fill their cache: what they would let in beyond it, `serve`
-- would deliver.
CREATE TABLE upstream_policies (
    upstream text PRIMARY KEY CHECK (upstream ~ '^[a-z0-9-]{1,40}$'),
    -- Options, as on a command line.
    policy text NOT NULL CHECK (policy <> ''),
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
