INSERT INTO jobs (queue, kind, payload, request_id) VALUES ('index', 'publish_version', '{}', 'a1b2c3'), ('index', 'maintain_index', '{}', NULL);
INSERT INTO dead_jobs (id, queue, kind, payload, priority, created_at, attempts, claim_no, request_id)
VALUES (1008, 'index', 'publish_version', '{}', 0, now(), 20, 21, 'a1b2c3');
INSERT INTO job_history (id, queue, kind, created_at, attempts, outcome, request_id)
VALUES (8, 'index', 'publish_version', now(), 1, 'done', 'a1b2c3');
