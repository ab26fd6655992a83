UPDATE crates SET index_blob = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391', index_bytes = 1,
    index_last_id = (SELECT max(id) FROM versions);
INSERT INTO pending_descriptions (crate_id) SELECT id FROM crates;
