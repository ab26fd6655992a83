INSERT INTO upstream_pins (upstream, canonical_name, crate_name, version, checksum, reason, actor)
VALUES ('crates-io', 'serde_json', 'serde-json', '1.0.1', decode(repeat('ab', 32), 'hex'), 'Cargo.lock', 'ops@host');
