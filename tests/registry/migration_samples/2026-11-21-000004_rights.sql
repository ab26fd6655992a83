INSERT INTO users (id, login, is_admin) VALUES (3, 'root', true);
INSERT INTO api_tokens (user_id, name, token_sha256, scopes, crate_patterns, expires_at)
VALUES (1, 'ci', sha256('c'), '{publish-update,yank}', '{foo-*}', now() + interval '90 days');
INSERT INTO teams (id, name) VALUES (1, 'devs');
INSERT INTO team_members (team_id, user_id) VALUES (1, 2);
INSERT INTO crate_team_owners (crate_id, team_id) VALUES (1, 1);
UPDATE crates SET max_crate_size = 20000000, max_features = 400 WHERE id = 1;
INSERT INTO reserved_names (canonical_name, reason) VALUES ('acme_core', 'kept for the platform team');
INSERT INTO rate_limit_buckets VALUES (1, 'yank', 3.5, now());
INSERT INTO audit_log (action, actor, user_id, token_id, token_name, address, crate_name, version, subject, detail)
VALUES ('publish', 'ann', 1, 1, 'default', '192.0.2.1', 'Foo-Bar', '1.0.0', NULL, '{"size": 800}'),
       ('team-create', 'root@host', NULL, NULL, NULL, NULL, NULL, NULL, 'devs', '{}');
INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, state, deletion_wanted_at, deletion_reason)
VALUES (1, '0.9.0', '0.9.0', sha256('z'), 700, '{"name":"Foo-Bar"}', '{}', 'deleted', now(), 'held a key');
