INSERT INTO users (id, login) VALUES (1, 'ann'), (2, 'bob');
INSERT INTO api_tokens (user_id, name, token_sha256, revoked_at) VALUES (1, 'default', sha256('a'), NULL), (2, 'old', sha256('b'), now());
INSERT INTO crates (id, name, max_version, version_count) VALUES (1, 'Foo-Bar', '1.0.0', 1), (2, 'queued', NULL, 0);
INSERT INTO crate_owners (crate_id, user_id) VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, metadata, created_by, state, effective_yanked, commit_id, published_at)
VALUES (1, '1.0.0+build', '1.0.0', sha256('x'), 800, '{"name":"Foo-Bar"}', '{}', 1, 'published', false, 'abc', now()),
       (2, '0.1.0', '0.1.0', sha256('y'), 900, '{"name":"queued"}', '{}', NULL, 'queued', NULL, NULL, NULL);
