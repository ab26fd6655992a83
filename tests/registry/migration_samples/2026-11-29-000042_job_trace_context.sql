INSERT INTO jobs (queue, kind, payload, traceparent)
VALUES ('index', 'publish_version', '{}', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'), ('index', 'maintain_index', '{}', NULL);
