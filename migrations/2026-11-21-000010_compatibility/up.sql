-- Which programs can work with this schema, so that two versions of the program can share a database while one replaces the
-- other.
CREATE TABLE schema_compatibility (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    -- The version of the newest migration that a program has to know. Additive migrations leave it as it is; one that takes
    -- something away, or asks more of rows, raises it to its own version.
    oldest text NOT NULL
);
INSERT INTO schema_compatibility (oldest) VALUES ('20261121000010');
