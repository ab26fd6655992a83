INSERT INTO advisory_sources (upstream, source, known_source, revision, generation, checked_at, refreshed_at, problem, skipped, skipped_files)
VALUES ('crates-io', 'https://github.com/RustSec/advisory-db.git', 'https://github.com/RustSec/advisory-db.git', 'aaaa', 3, now(), now(), NULL,
        1, '[{"file": "crates/foo/RUSTSEC-2026-0001.md", "problem": "it is not UTF-8"}]'),
       ('acme', '/srv/advisories', NULL, NULL, 0, now(), NULL, 'it is empty', 0, '[]');
INSERT INTO advisories (upstream, advisory_id, canonical_name, crate_name, title, url, severity, informational, ranges, document, digest, withdrawn_at, vanished_at)
VALUES ('crates-io', 'RUSTSEC-2026-0001', 'foo_bar', 'foo-bar', 'A leak', 'https://rustsec.org/advisories/RUSTSEC-2026-0001.html', 'high', NULL,
        '{"affected": [{}]}', '{"id": "RUSTSEC-2026-0001"}', '00', NULL, NULL),
       ('crates-io', 'RUSTSEC-2026-0002', 'foo', 'foo', 'Unmaintained', NULL, 'unrated', 'unmaintained',
        '{"affected": [{}]}', '{"id": "RUSTSEC-2026-0002"}', '00', now(), now());
