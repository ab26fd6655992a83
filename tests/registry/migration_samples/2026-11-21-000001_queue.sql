INSERT INTO jobs (queue, kind, key, payload, requested_by) VALUES ('index', 'publish_version', 'foo', '{"a": 1}', 'ann');
INSERT INTO jobs (queue, kind, payload, attempts, claim_no, claimed_at, claimed_by, last_error, awaits_recovery)
VALUES ('index', 'yank_version', '{}', 3, 4, now(), 'host:1', 'no space left', true);
INSERT INTO dead_jobs (id, queue, kind, payload, priority, created_at, attempts, claim_no, last_error)
VALUES (1000, 'index', 'publish_version', '{}', 0, now(), 20, 21, 'the job panicked');
INSERT INTO job_history (id, queue, kind, created_at, attempts, outcome, detail)
VALUES (1, 'index', 'publish_version', now(), 1, 'done', 'abc'), (2, 'index', 'yank_version', now(), 2, 'discarded', NULL);
