INSERT INTO users (id, login, is_admin) VALUES (30, 'provisions', true);
INSERT INTO api_tokens (id, user_id, name, token_sha256, scopes)
VALUES (3001, 30, 'administers', sha256('administers'), '{administer}'),
       (3002, 30, 'administers and yanks', sha256('administers and yanks'), '{administer,yank}');
