INSERT INTO upstream_rules (upstream, canonical_name, crate_name, version, decision, reason, actor)
VALUES ('crates-io', 'serde_json', 'serde-json', '1.0.1', 'allow', 'it mends a leak', 'ops@host'),
       ('crates-io', 'arrayref', 'arrayref', '', 'block', 'it was taken over', 'root');
