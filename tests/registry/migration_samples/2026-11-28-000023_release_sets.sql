INSERT INTO users (id, login) VALUES (23, 'stager');
INSERT INTO release_sets (name, is_preview, created_by, expires_at) VALUES ('open-one', true, 23, now() + interval '1 day');
INSERT INTO release_sets (name, is_preview, state, created_by, expires_at, ended_at, ended_by, reason, contents)
VALUES ('rejected-one', false, 'rejected', 23, now() + interval '1 day', now(), 'stager', 'not yet', '{"versions": [], "changes": []}');
INSERT INTO staged_versions (set_id, name, num, num_without_build, is_new_crate, checksum, size, index_line, metadata, staged_by)
SELECT id, 'Staged-Crate', '1.0.0+x', '1.0.0', true, sha256('staged'), 6, '{}', '{}', 23 FROM release_sets WHERE name = 'open-one';
INSERT INTO staging_rules (subject, canonical, is_prefix, by_another) VALUES ('Staged-*', 'staged_', true, true);
INSERT INTO api_tokens (id, user_id, name, token_sha256, scopes) VALUES (2300, 23, 'stages', sha256('stages'), '{stage-new,approve}');
INSERT INTO set_approvals (set_id, user_id, token_id, as_admin, revision)
SELECT id, 23, 2300, false, 0 FROM release_sets WHERE name = 'open-one';
