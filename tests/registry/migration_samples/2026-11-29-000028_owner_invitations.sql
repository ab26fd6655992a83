INSERT INTO owner_invitations (crate_id, user_id, invited_by, expires_at)
SELECT min(crates.id), 27, 2401, now() + interval '30 days' FROM crates;
INSERT INTO owner_invitations (crate_id, user_id, invited_by, created_at, expires_at)
SELECT max(crates.id), 27, 2401, now() - interval '31 days', now() - interval '1 day' FROM crates;
