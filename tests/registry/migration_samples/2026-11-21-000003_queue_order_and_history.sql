INSERT INTO jobs (queue, kind, key, payload, turn)
VALUES ('hooks', 'deliver', 'a', '1', true), ('hooks', 'deliver', 'a', '2', false), ('hooks', 'deliver', 'b', '3', true);
INSERT INTO dead_jobs (id, queue, kind, key, payload, priority, created_at, attempts, claim_no, last_error, ordered)
VALUES (1001, 'hooks', 'deliver', 'c', '4', 0, now(), 15, 15, 'refused', true);
INSERT INTO job_history (id, queue, kind, created_at, attempts, outcome, error)
VALUES (3, 'hooks', 'deliver', now(), 1, 'failed', 'refused'), (3, 'hooks', 'deliver', now(), 2, 'lost', NULL),
       (1001, 'hooks', 'deliver', now(), 15, 'dead', 'refused'), (4, 'hooks', 'deliver', now(), 15, 'retried', NULL);
