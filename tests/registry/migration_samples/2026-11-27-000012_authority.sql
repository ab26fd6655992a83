INSERT INTO api_tokens (user_id, name, token_sha256, created_by_token) VALUES (1, 'made by the first', sha256('d'), 1);
INSERT INTO jobs (queue, kind, payload, requested_by, lap)
VALUES ('index', 'publish_version', '{}', 'ann', 0), ('index', 'publish_version', '{}', 'ann', 1),
       ('index', 'publish_version', '{}', 'bob', 0), ('index', 'maintain_index', '{}', NULL, 7);
