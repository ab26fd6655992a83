-- The older program has no place for the limits of names without a crate.
UPDATE crates SET
    max_crate_size = crate_limits.max_crate_size,
    max_unpacked_size = crate_limits.max_unpacked_size,
    max_features = crate_limits.max_features,
    max_dependencies = crate_limits.max_dependencies
FROM crate_limits WHERE crate_limits.canonical_name = crates.canonical_name;

-- Nor does a crate whose limits were reset keep them.
UPDATE crates SET max_crate_size = NULL, max_unpacked_size = NULL, max_features = NULL, max_dependencies = NULL
WHERE (max_crate_size IS NOT NULL OR max_unpacked_size IS NOT NULL OR max_features IS NOT NULL
        OR max_dependencies IS NOT NULL)
    AND canonical_name NOT IN (SELECT canonical_name FROM crate_limits);
DROP TABLE crate_limits;
