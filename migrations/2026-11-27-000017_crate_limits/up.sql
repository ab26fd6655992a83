-- Limits of one crate in place of the registry's own, by its name, which may have no crate yet; NULL is the registry's.
-- Sizes are bytes.
CREATE TABLE crate_limits (
    canonical_name text PRIMARY KEY CHECK (canonical_name = replace(lower(canonical_name), '-', '_')),
    max_crate_size bigint CHECK (max_crate_size > 0),
    max_unpacked_size bigint CHECK (max_unpacked_size > 0),
    max_features integer CHECK (max_features > 0),
    max_dependencies integer CHECK (max_dependencies > 0)
);

-- The columns of `crates` stay for programs of the former version, which may still run. This program does not read them.
INSERT INTO crate_limits (canonical_name, max_crate_size, max_unpacked_size, max_features, max_dependencies)
SELECT canonical_name, max_crate_size, max_unpacked_size, max_features, max_dependencies FROM crates
WHERE max_crate_size IS NOT NULL OR max_unpacked_size IS NOT NULL OR max_features IS NOT NULL
    OR max_dependencies IS NOT NULL;
