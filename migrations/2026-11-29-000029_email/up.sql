-- Where users get mail. One without confirmed_at gets none but the link with which it is confirmed.
CREATE TABLE email_recipients (
    user_id integer PRIMARY KEY REFERENCES users (id),
    address text NOT NULL CHECK (octet_length(address) BETWEEN 3 AND 254),
    confirmed_at timestamptz,
    -- Of the secret in the link, and until when it is valid.
    confirmation_sha256 bytea CHECK (octet_length(confirmation_sha256) = 32),
    confirmation_until timestamptz,
    -- In each mail, for the link with which the user wants no more of them. It allows nothing else.
    unsubscribe_key text NOT NULL UNIQUE CHECK (octet_length(unsubscribe_key) <= 100),
    -- Groups of event types of which the user wants no mail, such as version; * for all.
    unwanted text[] NOT NULL DEFAULT '{}',
    -- Why the mail server has refused the address.
    problem text CHECK (octet_length(problem) <= 2000),
    changed_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((confirmation_sha256 IS NULL) = (confirmation_until IS NULL)),
    CHECK (confirmed_at IS NULL OR problem IS NULL)
);

-- What a user is to get by mail. A job of the user sends those that wait in one mail, and removes them.
CREATE TABLE email_notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id integer NOT NULL REFERENCES email_recipients (user_id) ON DELETE CASCADE,
    -- As webhooks have it.
    type text NOT NULL,
    data jsonb NOT NULL,
    happened_at timestamptz NOT NULL
);
CREATE INDEX email_notices_user_id ON email_notices (user_id, id);

-- What happened is kept for recipients of mail as for webhooks.
CREATE OR REPLACE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_outbox (source, entry) SELECT TG_ARGV[0], to_jsonb(NEW)
    WHERE EXISTS (SELECT FROM webhooks) OR EXISTS (SELECT FROM email_recipients WHERE confirmed_at IS NOT NULL);
    RETURN NULL;
END $$;
CREATE INDEX email_recipients_confirmed ON email_recipients (user_id) WHERE confirmed_at IS NOT NULL;
