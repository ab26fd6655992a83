-- A user for a program: with tokens, and no way to sign in.
ALTER TABLE users
    DROP CONSTRAINT users_role_check,
    ADD CONSTRAINT users_role_check CHECK (role IN ('member', 'auditor', 'read-only', 'service'));

-- Older programs do not know the role.
UPDATE schema_compatibility SET oldest = '20261129000027';
