-- Deliveries are no jobs of older programs.
DELETE FROM jobs WHERE kind = 'deliver_webhook';
DELETE FROM dead_jobs WHERE kind = 'deliver_webhook';
DROP TABLE webhook_deliveries;
DROP TABLE webhook_events;
DROP TRIGGER tell_webhooks ON verify_reports;
DROP TRIGGER tell_webhooks ON dead_jobs;
DROP TRIGGER tell_webhooks ON audit_log;
DROP FUNCTION tell_webhooks;
DROP TABLE webhook_outbox;
DROP TABLE webhooks;
UPDATE schema_compatibility SET oldest = '20261128000025';
