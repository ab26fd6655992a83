-- As the migration leaves a job that was dead because of a category, and its receipt.
INSERT INTO jobs (id, queue, kind, key, payload, last_error)
VALUES (900, 'index', 'publish_version', 'described', '{"crate_id": 3, "version_id": 100, "name": "described", "num": "2.0.0"}',
        'index row size 2744 exceeds maximum 2712 for index "crates_by_category"');
INSERT INTO job_history (id, queue, kind, key, created_at, attempts, finished_by, outcome)
VALUES (900, 'index', 'publish_version', 'described', now(), 20, 'the upgrade of the database', 'retried');
