INSERT INTO upstream_rules (upstream, canonical_name, crate_name, version, decision, reason, actor)
VALUES ('crates-io', 'quick_xml', 'quick-xml', '0.40.0', 'hold', 'looked into', 'root');
