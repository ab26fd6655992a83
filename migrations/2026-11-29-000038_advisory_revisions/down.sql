DELETE FROM advisories WHERE upstream = '';
ALTER TABLE advisories DROP CONSTRAINT advisories_upstream_check;
ALTER TABLE advisories ADD CONSTRAINT advisories_upstream_check CHECK (upstream ~ '^[a-z0-9-]{1,40}$');
DROP TABLE advisory_revisions;
