-- CI systems and other issuers whose ID tokens are exchanged for a token of this registry.
CREATE TABLE trusted_issuers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- How its claims are read.
    provider text NOT NULL CHECK (provider IN ('github', 'gitlab', 'forgejo', 'oidc')),
    -- The claim `iss`, to the byte.
    url text NOT NULL UNIQUE CHECK (octet_length(url) BETWEEN 1 AND 500),
    -- The claim that tells one CI system from another, if the provider has no repositories.
    identity_claim text NOT NULL DEFAULT 'sub' CHECK (octet_length(identity_claim) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO trusted_issuers (provider, url)
VALUES ('github', 'https://token.actions.githubusercontent.com'), ('gitlab', 'https://gitlab.com');

-- Who may publish a crate, or crates with a prefix, without a token of a user.
CREATE TABLE trusted_publishers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id integer NOT NULL REFERENCES trusted_issuers (id) ON DELETE CASCADE,
    crate_id integer REFERENCES crates (id),
    -- A name, or a prefix with '*': what its owner owns of it, and new crates if an admin or an operator has added it.
    pattern text,
    -- The name or the prefix, as names are compared.
    canonical text,
    is_prefix boolean,
    -- The repository in lower case, if the provider has repositories; it is looked up by this.
    repository text,
    rule jsonb NOT NULL,
    stages_only boolean NOT NULL,
    -- Whether new crates may be published. An ordinary user could name a foreign repository, and would own its new crates.
    creates boolean NOT NULL DEFAULT false,
    -- The admin who allowed that, and allows nothing when no longer an admin. None for an operator.
    allowed_by integer REFERENCES users (id),
    -- The user whose crates a pattern covers. None for a crate's publisher of an operator.
    created_by integer REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (pattern IS NULL OR created_by IS NOT NULL),
    CHECK (pattern IS NOT NULL OR NOT creates),
    CHECK ((crate_id IS NULL) <> (pattern IS NULL)),
    CHECK ((pattern IS NULL) = (canonical IS NULL) AND (pattern IS NULL) = (is_prefix IS NULL))
);

CREATE INDEX trusted_publishers_issuer_id ON trusted_publishers (issuer_id, repository);
CREATE INDEX trusted_publishers_crate_id ON trusted_publishers (crate_id);
CREATE INDEX trusted_publishers_created_by ON trusted_publishers (created_by);

-- ID tokens that were exchanged: each is exchanged once.
CREATE TABLE used_id_tokens (
    -- Of the issuer and the claim `jti`, or of what is signed if it has none.
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    -- When it is refused for its time anyhow.
    forget_at timestamptz NOT NULL
);

CREATE INDEX used_id_tokens_forget_at ON used_id_tokens (forget_at);

-- Users that are no person: they cannot sign in.
ALTER TABLE users
    ADD COLUMN is_machine boolean NOT NULL DEFAULT false,
    -- The issuer of its ID tokens.
    ADD COLUMN machine_issuer text,
    ADD CHECK (machine_issuer IS NULL OR is_machine);

-- Of a token from an exchange: the trusted publishers that it was issued for, and where it came from.
ALTER TABLE api_tokens ADD COLUMN trusted jsonb;
CREATE INDEX api_tokens_trusted ON api_tokens (expires_at) WHERE trusted IS NOT NULL;
ALTER TABLE staged_versions
    ADD COLUMN trusted jsonb,
    -- Who will own a new crate that a machine has staged.
    ADD COLUMN owner_if_new integer REFERENCES users (id);

-- The repository, commit and run of a version that a trusted publisher has published.
ALTER TABLE versions ADD COLUMN provenance jsonb;

-- Whether only trusted publishers may publish the crate.
ALTER TABLE crates ADD COLUMN trustpub_only boolean NOT NULL DEFAULT false;

ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'trusted-publishing', 'read']);

-- Older programs would let any token publish a crate that only trusted publishers may publish.
UPDATE schema_compatibility SET oldest = '20261128000024';
