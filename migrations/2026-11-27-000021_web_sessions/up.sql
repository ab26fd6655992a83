-- Sessions of people who signed in on a page. A session has the rights of the token that was entered, and ends with it.
CREATE TABLE web_sessions (
    -- Of the secret in the browser's cookie, which is stored nowhere else.
    secret_sha256 bytea PRIMARY KEY CHECK (octet_length(secret_sha256) = 32),
    token_id integer NOT NULL REFERENCES api_tokens (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX web_sessions_token_id ON web_sessions (token_id, created_at);
CREATE INDEX web_sessions_last_used_at ON web_sessions (last_used_at);
