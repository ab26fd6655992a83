DROP TABLE owner_invitations;
UPDATE schema_compatibility SET oldest = '20261129000027';
