INSERT INTO users (id, login) VALUES (29, 'with-mail');
INSERT INTO email_recipients (user_id, address, confirmed_at, unsubscribe_key, unwanted)
VALUES (29, 'with-mail@example.com', now(), 'sce_of_with_mail', '{version}');
INSERT INTO email_notices (user_id, type, data, happened_at) VALUES (29, 'owner.added', '{"crate": "foo"}', now());
INSERT INTO jobs (queue, kind, key, payload) VALUES ('mail', 'send_notices', 'user 29', '{"user_id": 29}'),
       ('mail', 'send_to_address', 'user 29', '{"about": "replaced", "user_id": 29, "address": "former@example.com"}');
