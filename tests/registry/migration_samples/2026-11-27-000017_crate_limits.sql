INSERT INTO crate_limits (canonical_name, max_crate_size) VALUES ('not_here_yet', 30000000);
