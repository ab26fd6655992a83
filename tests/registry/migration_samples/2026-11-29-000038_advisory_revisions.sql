INSERT INTO advisory_revisions (number, advisory_id, content, at)
VALUES (1, 'SCGO-2026-0001', '{"crate": "foo", "title": "A leak", "patched": [], "date": "2026-11-29"}', now()),
       (2, 'SCGO-2026-0001', '{"crate": "foo", "title": "A leak", "patched": [">=1.2.3"], "date": "2026-11-29"}', now());
INSERT INTO advisories (upstream, advisory_id, canonical_name, crate_name, title, url, severity, informational, ranges, document, digest, withdrawn_at, vanished_at)
VALUES ('', 'SCGO-2026-0001', 'foo', 'foo', 'A leak', NULL, 'unrated', NULL, '{"affected": [{}]}', '{"id": "SCGO-2026-0001"}', '00', NULL, NULL);
