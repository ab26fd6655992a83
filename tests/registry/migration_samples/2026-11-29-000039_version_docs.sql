INSERT INTO api_tokens (id, user_id, name, token_sha256, scopes)
VALUES (3003, 30, 'uploads documentation', sha256('uploads documentation'), '{publish-docs}'),
       (3004, 30, 'publishes with documentation', sha256('publishes with documentation'), '{publish-new,publish-docs}');
INSERT INTO version_docs (version_id, checksum, size, files, unpacked_size, directory, entries)
VALUES (100, sha256('docs'), 4000, 12, 40000, 'described', '\x28b52ffd');
