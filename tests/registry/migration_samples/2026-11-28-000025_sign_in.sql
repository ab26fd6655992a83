INSERT INTO users (id, login, role) VALUES (25, 'reader', 'read-only'), (2501, 'auditor', 'auditor');
INSERT INTO identities (user_id, issuer, subject, label) VALUES (25, 'https://id.example', '248289761001', 'ann');
INSERT INTO passwords (user_id, hash) VALUES (2501, '$argon2id$v=19$m=19456,t=2,p=1$c2FtcGxlc2FsdA$c2FtcGxl');
INSERT INTO one_time_links (secret_sha256, user_id, expires_at) VALUES (sha256('link'), 25, now() + interval '1 day');
INSERT INTO sign_in_failures (key_sha256, tokens, filled_at) VALUES (sha256('login'), 9, now());
INSERT INTO teams (id, name) VALUES (25, 'of-a-group');
INSERT INTO team_members (team_id, user_id, issuer) VALUES (25, 25, 'https://id.example');
INSERT INTO api_tokens (id, user_id, name, token_sha256, expires_at, sign_in)
VALUES (2500, 25, 'session', sha256('session'), now() + interval '7 days', 'https://id.example');
INSERT INTO web_sessions (secret_sha256, token_id, address, browser) VALUES (sha256('cookie'), 2500, '192.0.2.1', 'Browser/1.0');
INSERT INTO api_tokens (id, user_id, name, token_sha256, expires_at, created_by_token, renewal_sha256, renewable_until)
VALUES (2502, 25, 'cargo on a laptop', sha256('device'), now() + interval '12 hours', 2500, sha256('renewal'), now() + interval '30 days');
INSERT INTO device_requests (device_code_sha256, user_code, name, scopes, expires_at)
VALUES (sha256('device code'), 'BCDFGHJK', 'cargo on a desktop', '{yank}', now() + interval '10 minutes');
