INSERT INTO crates (id, name, max_version, version_count, keywords, description) VALUES (3, 'described', '2.0.0', 1, '{web,http}', 'Words');
INSERT INTO versions (id, crate_id, num, num_without_build, checksum, size, index_line, metadata, manifest, state, effective_yanked, commit_id, published_at)
VALUES (100, 3, '2.0.0', '2.0.0', sha256('z'), 700,
        '{"name":"described","deps":[{"name":"old","package":"Foo-Bar","req":"^1","kind":"normal","features":["a"],"optional":true,"default_features":false,"target":"cfg(unix)"},{"name":"serde","req":"^1","registry":"https://github.com/rust-lang/crates.io-index"}]}',
        '{"description":"Words","keywords":["Web","http"],"readme":"# A \u0001 readme"}', '{"description":"Words"}', 'published', false, 'abc', now());
UPDATE crates SET default_version_id = 100, newest_version = '2.0.0', max_stable_version = '2.0.0' WHERE id = 3;
INSERT INTO dependencies (version_id, place, name, req, kind, optional, default_features, features)
VALUES (100, 0, 'Foo-Bar', '^1', 'normal', true, false, '{a}');
INSERT INTO crate_search (crate_id, name, head, document) VALUES (3, 'described', to_tsvector('described'), to_tsvector('words'));
INSERT INTO version_downloads_by_day (version_id, day, downloads) VALUES (100, '2026-11-20', 3), (100, '2026-11-21', 4);
INSERT INTO version_downloads (version_id, downloads) VALUES (100, 7);
INSERT INTO crate_downloads (crate_id, downloads, recent) VALUES (3, 7, 7);
