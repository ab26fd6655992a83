-- Accounts at identity providers, by which their users sign in. An account is known by its number there: its name, and its
-- e-mail address, can become another person's.
CREATE TABLE identities (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id),
    -- The claims `iss` and `sub`, to the byte.
    issuer text NOT NULL CHECK (octet_length(issuer) BETWEEN 1 AND 500),
    subject text NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 255),
    -- What the provider called it at the last sign-in, for people.
    label text NOT NULL CHECK (octet_length(label) <= 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (issuer, subject)
);

CREATE INDEX identities_user_id ON identities (user_id);

-- Passwords of users who sign in without a provider.
CREATE TABLE passwords (
    user_id integer PRIMARY KEY REFERENCES users (id),
    -- Argon2id, in the PHC format.
    hash text NOT NULL CHECK (hash LIKE '$argon2id$%'),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Links with which a user signs in for the first time, or again after the password was lost. A link is used once.
CREATE TABLE one_time_links (
    -- Of the secret in the link, which is stored nowhere else.
    secret_sha256 bytea PRIMARY KEY CHECK (octet_length(secret_sha256) = 32),
    -- A new link replaces the one before.
    user_id integer NOT NULL UNIQUE REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- Failed sign-ins of the last hour, by what is limited: a login, an address, or both.
CREATE TABLE sign_in_failures (
    key_sha256 bytea PRIMARY KEY CHECK (octet_length(key_sha256) = 32),
    -- How many are left, as a bucket that fills again.
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL
);

CREATE INDEX sign_in_failures_filled_at ON sign_in_failures (filled_at);

-- What a user may do at most.
ALTER TABLE users
    ADD COLUMN role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'auditor', 'read-only')),
    ADD CHECK (role = 'member' OR NOT is_admin);

-- The provider that made the user a member, and ends the membership when the user's groups there have changed. Null for an operator.
ALTER TABLE team_members ADD COLUMN issuer text;

-- Of the token of a session, which nobody knows: how its user signed in. Null for a token that programs send.
ALTER TABLE api_tokens ADD COLUMN sign_in text;
CREATE INDEX api_tokens_sign_in ON api_tokens (expires_at) WHERE sign_in IS NOT NULL;

-- Of a token that its device renews: the secret for that, and until when. Each renewal gives a new token and a new secret.
ALTER TABLE api_tokens
    ADD COLUMN renewal_sha256 bytea UNIQUE CHECK (octet_length(renewal_sha256) = 32),
    ADD COLUMN renewable_until timestamptz,
    ADD CHECK ((renewal_sha256 IS NULL) = (renewable_until IS NULL));

-- Devices that wait for a token, which their users allow on a page.
CREATE TABLE device_requests (
    -- Of the code that the device has.
    device_code_sha256 bytea PRIMARY KEY CHECK (octet_length(device_code_sha256) = 32),
    -- What people read on the device.
    user_code text NOT NULL UNIQUE CHECK (octet_length(user_code) = 8),
    -- What the device calls itself, and where it is.
    name text NOT NULL CHECK (octet_length(name) <= 400),
    address text,
    scopes text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    last_asked_at timestamptz,
    -- Who has decided, with the token of which session; null: nobody yet.
    user_id integer REFERENCES users (id),
    token_id integer REFERENCES api_tokens (id) ON DELETE CASCADE,
    is_allowed boolean NOT NULL DEFAULT false
);

CREATE INDEX device_requests_expires_at ON device_requests (expires_at);

ALTER TABLE web_sessions
    -- Names it in a list, where its secret has no place.
    ADD COLUMN id integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    -- When its user last proved to be that user.
    ADD COLUMN proven_at timestamptz NOT NULL DEFAULT now(),
    -- A sign-in at a provider that was begun in this session, to prove who its user is or to connect an account: its SHA-256.
    ADD COLUMN flow_sha256 bytea CHECK (octet_length(flow_sha256) = 32),
    ADD COLUMN flow_at timestamptz,
    -- Where it began, and in what browser, for people.
    ADD COLUMN address text,
    ADD COLUMN browser text CHECK (octet_length(browser) <= 1000);

-- Older programs would let a read-only user publish.
UPDATE schema_compatibility SET oldest = '20261128000025';
