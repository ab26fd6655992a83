INSERT INTO users (id, login, disabled_at, removed_at) VALUES (16, 'disabled', now(), NULL), (17, 'removed', now(), now());
INSERT INTO api_tokens (user_id, name, token_sha256) VALUES (16, 'of a disabled user', sha256('disabled'));
