INSERT INTO verify_reports (finished_at, mode, requested_by, crates, files, differences, summary)
VALUES (now(), 'light', 'schedule', 3, 4, 1, '{"by_kind": {"orphan-file": 1}}');
INSERT INTO verify_reports (mode, requested_by, error, position)
VALUES ('full', 'root@host', 'interrupted', '{"phase": "crates", "cursor": "7"}');
