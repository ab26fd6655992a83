INSERT INTO webhooks (url, description, crate_id, events, secret, previous_secret, previous_until, created_by, paused_at, pause_reason)
SELECT 'https://ci.example/hook', 'sample', crates.id, '{version.*,owner.added}', decode(repeat('ab', 32), 'hex'), decode(repeat('cd', 24), 'hex'),
       now() + interval '1 day', 2401, now(), 'the receiver has answered 410 Gone'
FROM crates LIMIT 1;
INSERT INTO webhooks (url, events, secret) VALUES ('https://example.com/all', '{*}', decode(repeat('ab', 32), 'hex'));
INSERT INTO webhook_events (type, body) VALUES ('webhook.test', '{"type":"webhook.test"}');
INSERT INTO webhook_deliveries (webhook_id, event_id, delivered_at, status, took_ms)
SELECT webhooks.id, webhook_events.id, CASE WHEN paused_at IS NULL THEN now() END, CASE WHEN paused_at IS NULL THEN 204 END, 12
FROM webhooks, webhook_events;
INSERT INTO jobs (queue, kind, key, payload, turn)
SELECT 'webhooks', 'deliver_webhook', 'webhook 2', '{"webhook_id": 2}', true;
INSERT INTO audit_log (action, actor, subject) VALUES ('token-create', 'sample', 'told to webhooks');
