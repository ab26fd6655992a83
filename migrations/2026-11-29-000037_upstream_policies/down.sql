DROP TABLE upstream_policies;
