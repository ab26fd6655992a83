INSERT INTO users (id, login) VALUES (21, 'signed-in');
INSERT INTO api_tokens (id, user_id, name, token_sha256) VALUES (2100, 21, 'of a session', sha256('signed-in'));
INSERT INTO web_sessions (secret_sha256, token_id) VALUES (sha256('secret'), 2100);
