-- Mails are no jobs of older programs.
DELETE FROM jobs WHERE kind IN ('send_notices', 'send_to_address');
DELETE FROM dead_jobs WHERE kind IN ('send_notices', 'send_to_address');
CREATE OR REPLACE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_outbox (source, entry) SELECT TG_ARGV[0], to_jsonb(NEW) WHERE EXISTS (SELECT FROM webhooks);
    RETURN NULL;
END $$;
DROP TABLE email_notices;
DROP TABLE email_recipients;
