-- A registry of {crates} crates with three versions each. The n-th word, keyword and dependency is in one place of n.
SELECT setseed(0.5);
ALTER TABLE crates DISABLE TRIGGER USER;
CREATE TEMPORARY TABLE words AS
SELECT rank, string_agg((ARRAY['ba','co','di','fu','ga','ha','jo','ka','lu','ma','no','pa','qui','ro','sa','tu','ve','wi',
    'xo','ya','zu','ber','cal','dor','fin','gor','lim','tan'])[1 + (rank * 31 + 7) / (28 ^ place)::int % 28], '' ORDER BY place) AS word
FROM generate_series(0, 19999) AS rank, generate_series(0, 3) AS place
WHERE place < 2 OR (rank * 31 + 7) >= 28 ^ place GROUP BY rank;
ALTER TABLE words ADD PRIMARY KEY (rank);
-- A text for each row: the number of the row keeps it from being made once.
CREATE FUNCTION pg_temp.text_of(row_number bigint, length integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT string_agg(word, ' ') FROM (
        SELECT least(exp(random() * ln(20000))::int - 1, 19999) AS rank FROM generate_series(1, length)
    ) AS ranks JOIN words USING (rank));
END $$;
INSERT INTO crates (name, created_at, updated_at, max_version, version_count, description, keywords, categories)
SELECT replace(pg_temp.text_of(n, 2), ' ', '-') || CASE WHEN n % 3 = 0 THEN '' ELSE '-' END || n,
    '2020-01-01'::timestamptz + n * interval '10 minutes', '2024-01-01'::timestamptz + (n * 7919 % {crates}) * interval '10 minutes',
    '1.2.0', 3, pg_temp.text_of(n, 12),
    ARRAY(SELECT DISTINCT unnest(string_to_array(pg_temp.text_of(n, 4), ' '))),
    ARRAY(SELECT DISTINCT 'category-' || (exp(random() * ln(60))::int) || CASE WHEN n % 2 = 0 THEN '::sub-' || n % 5 ELSE '' END FROM generate_series(1, 2))
FROM generate_series(1, {crates}) AS n;
INSERT INTO versions (crate_id, num, num_without_build, checksum, size, index_line, state, effective_yanked, commit_id, published_at, metadata, manifest)
SELECT id, '1.' || minor || '.0', '1.' || minor || '.0', sha256((name || minor)::bytea), 1, '{}', 'published', false, 'c', now(),
    jsonb_build_object('readme', CASE WHEN minor = 2 THEN pg_temp.text_of(id, 20) ELSE '' END), jsonb_build_object('description', description)
FROM crates, generate_series(0, 2) AS minor ORDER BY id, minor;
-- The first ten crates are each depended upon by a tenth of all, the others by fewer and fewer.
INSERT INTO dependencies (version_id, place, name, req, kind, optional, default_features, features)
SELECT versions.id, row_number() OVER (PARTITION BY versions.id), target.name, '^1', 'normal', false, true, '{}'
FROM (SELECT v.id, n FROM versions v CROSS JOIN LATERAL (
    SELECT DISTINCT CASE WHEN k < 10 THEN k + 1 ELSE 1 + least(exp(((hashint4(v.crate_id * 20 + k) & 65535) / 65536.0) * ln({crates}))::int, {crates} - 1) END AS n
    FROM generate_series(0, 13) AS k WHERE k >= 10 OR (v.crate_id * 31 + k * 17) % 10 = k) AS picked) versions
JOIN (SELECT name, row_number() OVER (ORDER BY id) AS n FROM crates) AS target USING (n);
INSERT INTO crate_downloads (crate_id, downloads, recent, shown)
SELECT id, 100000000 / (1 + id::bigint * 7919 % {crates}), 10000000 / (1 + id::bigint * 7919 % {crates}), true FROM crates;
INSERT INTO version_downloads (version_id, downloads) SELECT id, 100 FROM versions WHERE id % 3 = 0;
INSERT INTO crate_search (crate_id, name, head, document)
SELECT id, canonical_name, head, strip(head || to_tsvector('english', readme)) || array_to_tsvector(ARRAY['=' || canonical_name] || name_words)
FROM (SELECT ARRAY(SELECT '@' || word FROM unnest(tsvector_to_array(to_tsvector('english', replace(canonical_name, '_', ' ')))) AS word) AS name_words,
             crates.id, canonical_name, metadata->>'readme' AS readme,
             setweight(to_tsvector('english', replace(canonical_name, '_', ' ')), 'A')
                 || setweight(to_tsvector('english', array_to_string(keywords, ' ')), 'B') || setweight(to_tsvector('english', description), 'C') AS head
      FROM crates JOIN versions ON crate_id = crates.id AND num = '1.2.0') AS described;
INSERT INTO crate_categories (slug) SELECT DISTINCT unnest(categories) FROM crates ON CONFLICT DO NOTHING;
UPDATE crates SET default_version_id = versions.id FROM versions WHERE crate_id = crates.id AND num = max_version;
INSERT INTO users (login) VALUES ('ann');
INSERT INTO crate_owners (crate_id, user_id) SELECT crates.id, users.id FROM crates, users WHERE crates.id % 2 = 0;
ALTER TABLE crates ENABLE TRIGGER USER;
SELECT recount_registry();
ANALYZE;
