-- The migration writes the only row there can be.
UPDATE schema_compatibility SET oldest = oldest;
