-- What workers on several machines agree about, when the index is at a remote; one row.
CREATE TABLE index_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Raised by each commit that ends a batch.
    fence bigint NOT NULL DEFAULT 0,
    -- The commit that the remote's branch was at when the last batch ended.
    head text,
    -- Which process ended it.
    writer text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO index_state DEFAULT VALUES;
