-- What `supercargo verify` and the verification by schedule found, a row a run.
CREATE TABLE verify_reports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null while it runs, and after its process was killed.
    finished_at timestamptz,
    -- 'full' reads every crate file, 'light' looks whether it is there and has its size.
    mode text NOT NULL CHECK (mode IN ('full', 'light')),
    -- An operator's account, or 'schedule'.
    requested_by text NOT NULL,
    -- What it has looked at so far.
    crates bigint NOT NULL DEFAULT 0,
    files bigint NOT NULL DEFAULT 0,
    -- Those that are left after the repair, if there was one.
    differences bigint NOT NULL DEFAULT 0,
    summary jsonb NOT NULL DEFAULT '{}',
    -- Why it ended early.
    error text,
    -- How far it came, so that an interrupted run can go on. Null when there is nothing to go on with.
    position jsonb
);

-- Who needs a crate file: asked for each file of the store, and for each file that is to be removed.
CREATE INDEX versions_checksum ON versions (checksum);
