INSERT INTO upstream_policies (upstream, policy) VALUES ('crates-io', '--cooldown crates-io=3days');
