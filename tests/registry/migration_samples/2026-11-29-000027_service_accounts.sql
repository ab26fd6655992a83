INSERT INTO users (id, login, role) VALUES (27, 'ci', 'service');
