DROP TABLE versions;
DROP TABLE crate_owners;
DROP TABLE crates;
DROP TABLE api_tokens;
DROP TABLE users;
