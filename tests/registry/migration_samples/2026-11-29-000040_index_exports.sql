INSERT INTO index_exports (destination, commit_id, exported_at, fence, settled_commit, settling_commit, settling_since, checked_at)
VALUES ('s3://index at https://s3.example', '0123456789012345678901234567890123456789', now(), 7,
        '0123456789012345678901234567890123456789', '0123456789012345678901234567890123456789', now(), now());
