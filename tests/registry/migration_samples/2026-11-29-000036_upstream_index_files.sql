INSERT INTO upstream_index_files (upstream, path, known, content)
VALUES ('crates-io', '3/f/foo', '{"etag":"\"a\"","last_modified":null,"checked_at":"2026-11-29T00:00:00Z","size":0}',
        '\x1f8b08000000000000ff03000000000000000000');
INSERT INTO upstream_requests (upstream, subject, holder, leased_until, checked_at)
VALUES ('crates-io', '3/f/foo', 7, now(), now()), ('crates-io', '3/b/bar', NULL, NULL, NULL);
