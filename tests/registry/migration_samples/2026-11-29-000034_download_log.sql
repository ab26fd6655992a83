INSERT INTO download_log_settings (at, scope, retention_seconds, lost, lost_at) VALUES
    (now() - interval '2 days', 'tokens', 86400, 3, now() - interval '1 day'),
    (now() - interval '1 hour', 'none', 86400, 0, NULL);

INSERT INTO download_log
    (at, upstream, canonical_name, crate_name, version, checksum, login, token_id, token_name, address, user_agent, is_delivered)
VALUES
    (now(), '', 'foo', 'Foo', '1.0.0', sha256('x'), 'ann', 1, 'ci', '192.0.2.1', 'cargo/1.95.0', true),
    (now(), 'crates-io', 'bar', 'bar', '1.0.0', sha256('y'), NULL, NULL, NULL, '192.0.2.1', NULL, false);
