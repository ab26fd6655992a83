UPDATE users SET role = 'member' WHERE role = 'service';
ALTER TABLE users
    DROP CONSTRAINT users_role_check,
    ADD CONSTRAINT users_role_check CHECK (role IN ('member', 'auditor', 'read-only'));
UPDATE schema_compatibility SET oldest = '20261129000026';
