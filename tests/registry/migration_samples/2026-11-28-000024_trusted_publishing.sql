INSERT INTO users (id, login, is_machine) VALUES (24, 'github:acme/sample', true), (2401, 'publisher', false);
INSERT INTO api_tokens (id, user_id, name, token_sha256, scopes, crate_patterns, expires_at, trusted)
VALUES (2400, 24, 'acme/sample release.yml run 1', sha256('trusted'), '{stage-update,publish-update}', '{sample-*}',
        now() + interval '30 minutes', '{"publishers": [1], "provenance": {"provider": "github", "issuer": "https://token.actions.githubusercontent.com", "subject": "repo:acme/sample"}}');
INSERT INTO api_tokens (id, user_id, name, token_sha256, scopes)
VALUES (2401, 2401, 'configures', sha256('configures'), '{trusted-publishing}'),
       (2402, 2401, 'configures and yanks', sha256('configures and yanks'), '{trusted-publishing,yank}');
INSERT INTO trusted_publishers (issuer_id, pattern, canonical, is_prefix, repository, rule, stages_only, created_by)
SELECT id, 'Sample-*', 'sample_', true, 'acme/sample',
       '{"kind": "workflow", "owner": "acme", "owner_id": "42", "repository": "sample", "workflow": "release.yml", "environment": null}',
       false, 2401
FROM trusted_issuers WHERE provider = 'github';
INSERT INTO used_id_tokens (sha256, forget_at) VALUES (sha256('used'), now() + interval '5 minutes');
