DROP TABLE upstream_rules;
