-- Receivers to which events are sent.
CREATE TABLE webhooks (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2000),
    description text CHECK (octet_length(description) <= 1000),
    -- What its events are about: a crate, the crates and members of a team, or, with neither, everything.
    crate_id integer REFERENCES crates (id),
    team_id integer REFERENCES teams (id) ON DELETE CASCADE,
    -- The types that it receives: one such as version.published, a group such as version.*, or *.
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    -- The key of its signatures, and the one before while receivers are changed over.
    secret bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
    previous_secret bytea CHECK (octet_length(previous_secret) BETWEEN 24 AND 64),
    previous_until timestamptz,
    -- Null: an operator.
    created_by integer REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- While it is paused its deliveries wait.
    paused_at timestamptz,
    -- Null: the registry, because deliveries failed for days.
    paused_by text,
    pause_reason text,
    -- The crate was deleted; it is removed when it has received that event.
    crate_is_deleted boolean NOT NULL DEFAULT false,
    CHECK (crate_id IS NULL OR team_id IS NULL),
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CHECK (paused_at IS NOT NULL OR (paused_by IS NULL AND pause_reason IS NULL))
);
CREATE INDEX webhooks_crate_id ON webhooks (crate_id);
CREATE INDEX webhooks_team_id ON webhooks (team_id);
CREATE INDEX webhooks_of_deleted_crates ON webhooks (crate_id) WHERE crate_is_deleted;

-- What happened and is not passed on to webhooks yet. A row is written in the transaction of what it tells of; the trigger of
-- the audit log does so for programs of every version.
CREATE TABLE webhook_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL CHECK (source IN ('audit', 'dead-job', 'verification')),
    -- The row that tells of it.
    entry jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_outbox (source, entry) SELECT TG_ARGV[0], to_jsonb(NEW) WHERE EXISTS (SELECT FROM webhooks);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_webhooks AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION tell_webhooks('audit');
CREATE TRIGGER tell_webhooks AFTER INSERT ON dead_jobs FOR EACH ROW EXECUTE FUNCTION tell_webhooks('dead-job');
CREATE TRIGGER tell_webhooks AFTER UPDATE ON verify_reports FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.differences > 0)
    EXECUTE FUNCTION tell_webhooks('verification');

-- Events that some webhook receives.
CREATE TABLE webhook_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- By which receivers know it. Random, so that a restored registry gives none again.
    public_id text NOT NULL DEFAULT 'evt_' || replace(gen_random_uuid()::text, '-', ''),
    type text NOT NULL,
    -- What is sent, to the byte: all attempts send the same.
    body text NOT NULL,
    -- When it happened.
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- An event on its way to a webhook, or there. In the order of their numbers. A job of the webhook delivers the first that waits, and
-- enqueues the next job.
CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id integer NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id bigint NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    -- Null while it waits.
    delivered_at timestamptz,
    -- The answer, and how long it took.
    status smallint,
    took_ms integer
);
CREATE INDEX webhook_deliveries_webhook_id ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_event_id ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, id) WHERE delivered_at IS NULL;

-- Older programs would delete a crate and leave its webhooks to those who take its name.
UPDATE schema_compatibility SET oldest = '20261129000026';
