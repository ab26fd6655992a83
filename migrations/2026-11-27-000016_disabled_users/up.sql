-- The tokens of a disabled user are refused, and the user gets no new ones. A removed user is disabled permanently and
-- keeps only the login, which versions and the audit log refer to. Older programs know neither, and would accept the
-- tokens.
ALTER TABLE users
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN removed_at timestamptz,
    ADD CONSTRAINT users_removed_check CHECK (removed_at IS NULL OR disabled_at IS NOT NULL);
UPDATE schema_compatibility SET oldest = '20261127000016';
